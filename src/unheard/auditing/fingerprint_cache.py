"""Fingerprints that outlast the program: in the index whose sounds they are of, or in a file of the user's.

They are found again by the SHA-256 of the sound file they were made of, and by how they were made.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from unheard import audio
from unheard.auditing import fingerprint
from unheard.auditing.features import features
from unheard.common.files import sha256, write_whole
from unheard.common.shards import is_available
from unheard.errors import InputError
from unheard.index.store.fingerprints import Prints

FILE = "fingerprints.safetensors"
SAVE_EVERY = 2_000
"""References after which new fingerprints are written, so that a stop loses little."""


class Place(Protocol):
    """Where fingerprints are kept: a `FileOfPrints`, or the `FingerprintTable` of an index."""

    def read(self, maker: str) -> dict[str, Prints]:
        """What `maker` made, by content."""
        ...

    def add(self, maker: str, made: Mapping[str, Prints]) -> None:
        """Keep more; InputError if nothing can be written there."""
        ...


class FileOfPrints:
    """A file of fingerprints in a folder, which is made if need be."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def read(self, maker: str) -> dict[str, Prints]:
        """What `maker` made, by content; InputError if the file cannot be read."""
        if not self.path.is_file():
            return {}
        try:
            loaded = load_file(self.path)
        except (OSError, SafetensorError) as error:
            raise InputError(f"cannot read {self.path}: {error}; delete it, it is made again") from error
        if bytes(loaded["maker"]).decode() != maker:
            return {}
        digests = [bytes(row).hex() for row in loaded["digests"]]
        rows = np.split(loaded["prints"], np.cumsum(loaded["counts"])[:-1])
        return dict(zip(digests, zip(rows, loaded["seconds"].tolist(), strict=True), strict=True))

    def add(self, maker: str, made: Mapping[str, Prints]) -> None:
        """Write the file anew with these as well; InputError if nothing can be written there."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write {self.path}: {error.strerror or error}") from error
        known = {**self.read(maker), **made}
        arrays = {
            "maker": np.frombuffer(maker.encode(), np.uint8),
            "digests": np.array([list(bytes.fromhex(digest)) for digest in known], np.uint8),
            "counts": np.array([len(prints) for prints, _ in known.values()]),
            "seconds": np.array([seconds for _, seconds in known.values()]),
            "prints": np.concatenate([prints for prints, _ in known.values()]),
        }
        write_whole(self.path, save(arrays))


class Kept:
    """Fingerprints of sound files: those that are kept somewhere, and others as soon as they are made.

    Args:
        places: where they are looked for, and where new ones are written: to the first that takes them.
        others: where they are looked for as well.
        contents: SHA-256 of files, by path, where it is known: such a file is not read if its fingerprints
            are kept.
    """

    def __init__(
        self,
        places: Sequence[Place] = (),
        *,
        others: Sequence[Place] = (),
        contents: Mapping[Path, str] | None = None,
    ) -> None:
        self._places, self._contents = places, contents or {}
        self._known: dict[str, Prints] = {}
        self._new: dict[str, Prints] = {}
        for place in (*places, *others):
            self._known |= place.read(maker())

    def prints(self, path: Path) -> Prints:
        """Of one file; InputError if it cannot be used."""
        if (content := self._contents.get(path)) in self._known:
            return self._known[content]
        if not is_available(path):
            raise InputError(f"cannot read {path}: it does not exist; name a sound file")
        content = sha256(path) if self._places or self._known else None
        if content in self._known:
            return self._known[content]
        made = _made(path)
        if content is not None and self._places:
            self._known[content] = self._new[content] = made
            if len(self._new) >= SAVE_EVERY:
                self.save()
        return made

    def save(self) -> None:
        """Write what is new; a warning if no place takes it."""
        if not self._new:
            return
        for place in self._places:
            try:
                place.add(maker(), self._new)
            except InputError as error:
                refused = error
            else:
                break
        else:
            warnings.warn(f"the fingerprints are not kept: {refused}", stacklevel=2)
        self._new = {}


def _made(path: Path) -> Prints:
    waveform, rate = audio.read(path)
    heard = features(waveform, rate)
    if not heard.any():
        raise InputError(f"{path} is silent or too short to compare with")
    return fingerprint.fingerprints(heard).to(torch.float16).numpy(), waveform.shape[-1] / rate


@lru_cache(maxsize=1)
def maker() -> str:
    """What fingerprints depend on: how they and the features are computed, and their components."""
    return f"{fingerprint.VERSION} {sha256(fingerprint.COMPONENTS)}"
