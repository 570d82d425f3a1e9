"""Files at a URI, which fsspec opens; what goes wrong there is an OSError, whatever package is behind it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import IO, TypeVar, cast

from unheard.errors import InputError

Result = TypeVar("Result")


def check_uri(uri: str) -> None:
    """Raise InputError if the package that opens this kind of URI is not installed, or there is none."""
    import fsspec

    protocol = uri.partition("://")[0]
    try:
        fsspec.get_filesystem_class(protocol)
    except (ImportError, ValueError) as error:
        raise InputError(f"cannot open {uri}: {error}") from error


def open_afar(uri: str) -> IO[bytes]:
    """A file at a URI, to be read from front to back.

    Raises:
        OSError: it cannot be opened; reading from it raises no other either.
    """
    import fsspec

    return cast(IO[bytes], _Afar(_explained(uri, lambda: fsspec.open(uri, "rb").open())))


class _Afar(io.RawIOBase):
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return _explained("it", lambda: self._file.read(size))

    def close(self) -> None:
        self._file.close()
        super().close()


def _explained(what: str, do: Callable[[], Result]) -> Result:
    try:
        return do()
    except OSError:
        raise
    except Exception as error:  # each store's package has classes of its own
        said = " ".join(str(error).split())
        raise OSError(f"{what} cannot be read: {said or type(error).__name__}") from error
