"""A cache of arrays that were made of files, by the SHA-256 of the files' content.

So a file may be renamed and moved, and one that changed is another. An entry is a safetensors file of its
own, written whole or not at all, so that processes may share a cache. What is in it can always be made again:
a damaged entry is, and a cache that cannot be written costs a warning and the time. No torch in here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from unheard.common.files import cache_folder, write_to_cache
from unheard.errors import InputError

Arrays = Mapping[str, np.ndarray]
"""An entry: arrays by name."""


class ContentCache:
    """What one maker made of files.

    Args:
        kind: what is cached, such as "latents": the name of a folder in the user's cache, and in messages.
        maker: what an entry depends on besides the file: a hash or a version of what makes it. Its name is a
            folder's.
        folder: in place of the one in the user's cache; made with the first entry.
        fits: whether arrays are an entry: one that is readable but is none is made again like a damaged one.
    """

    def __init__(
        self,
        kind: str,
        maker: str,
        folder: Path | None = None,
        *,
        fits: Callable[[Arrays], bool] = lambda arrays: True,
    ) -> None:
        self.kind = kind
        self._fits = fits
        self.folder = (cache_folder(kind) if folder is None else folder) / maker
        self._refused = False

    def __contains__(self, content: str) -> bool:
        """Whether there is an entry for a content, damaged or not."""
        return self._path(content).is_file()

    def read(self, content: str) -> Arrays | None:
        """The entry of a file by its SHA-256 in hexadecimal; None, with a warning, if it is damaged."""
        path = self._path(content)
        if not path.is_file():
            return None
        try:
            found = load_file(path)
            if self._fits(found):
                return found
            reason = "it holds other arrays than it should"
        # A damaged header may name any number type, shape or offset.
        except (OSError, SafetensorError, ValueError, TypeError, LookupError, AttributeError) as error:
            reason = str(error) or type(error).__name__
        warnings.warn(f"cannot read {path}: {reason}; it is made again", stacklevel=2)
        return None

    def write(self, content: str, arrays: Arrays) -> None:
        """Write an entry, in the place of one that is there.

        Raises:
            InputError: nothing can be written there.
        """
        write_to_cache(self._path(content), save(dict(arrays)))

    def try_to_write(self, content: str, arrays: Arrays) -> None:
        """Write an entry, or warn, the first time, that this is not possible."""
        if self._refused:
            return
        try:
            self.write(content, arrays)
        except InputError as error:
            self._refused = True
            warnings.warn(f"the {self.kind} are not cached and made again each time: {error}", stacklevel=2)

    def read_or_make(self, content: str, make: Callable[[], Arrays]) -> Arrays:
        """The entry of a file, made and cached where there is none; raises what `make` raises."""
        arrays = self.read(content)
        if arrays is None:
            arrays = make()
            self.try_to_write(content, arrays)
        return arrays

    def _path(self, content: str) -> Path:
        return self.folder / f"{content}.safetensors"
