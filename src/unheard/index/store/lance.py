"""What LanceDB leaves to its users: errors in one line, conflicts tried again, commits on the disk."""

from __future__ import annotations

import os
import random
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from unheard.common.imports import defer, importing
from unheard.errors import IndexFileError, InputError, UnheardError
from unheard.index.store.causes import cause
from unheard.index.store.uri import is_local

CONFLICT_PATIENCE = 60.0
"""Seconds in which a commit is tried again while other processes keep getting in first."""

FOOTER = struct.Struct("<QHH4s")
"""How a file of Lance's ends: where its manifest begins, two numbers of its format, and its mark."""

Result = TypeVar("Result")


def connected(uri: str) -> Any:
    """The LanceDB database at a folder or URI; InputError where the library is not installed."""
    return lancedb().connect(uri)


def open_table(database: Any, uri: str, name: str) -> Any:
    """A table of the LanceDB database at a folder or URI, at its newest version.

    Lance panics, and says so on standard error, where a manifest in a folder claims to be longer than its
    file. Such a one is refused here.

    Raises:
        Exception: Lance's own, or ValueError for such a manifest: `explained` makes one line of both.
    """
    if is_local(uri):
        newest = min((Path(uri) / f"{name}.lance" / "_versions").glob("*.manifest"), default=None)
        if newest is not None and not _fits(newest):
            raise ValueError(f"its newest manifest, {newest}, is cut short")
    return database.open_table(name)


def _fits(manifest: Path) -> bool:
    """Whether a manifest is as long as it says; what else is wrong with one, Lance says."""
    with suppress(FileNotFoundError), open(manifest, "rb") as file:  # cleaned up by another process
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - FOOTER.size))
        begins, _, _, mark = FOOTER.unpack(file.read().rjust(FOOTER.size, b"\0"))
        file.seek(min(begins, size))
        length = int.from_bytes(file.read(4), "little")
        return bool(mark == b"LANC" and begins + 4 + length + FOOTER.size <= size)
    return True


def lancedb() -> ModuleType:
    """The library, or InputError with the command that installs it."""
    os.environ.setdefault("LANCE_LOG", "error")  # its notices are no concern of whoever builds an index
    with suppress(ModuleNotFoundError):
        defer("lance_namespace_urllib3_client")  # half of its import, for catalogues on servers
    try:
        with importing():
            import lancedb
    except ImportError as error:
        raise InputError(
            f"an index on disk needs lancedb ({error}); install it with `pip install lancedb pyarrow`"
        ) from error
    module: ModuleType = lancedb
    return module


def pyarrow() -> ModuleType:
    """The library, or InputError with the command that installs it."""
    try:
        import pyarrow.compute
    except ImportError as error:
        raise InputError(
            f"an index on disk needs pyarrow ({error}); install it with `pip install lancedb pyarrow`"
        ) from error
    module: ModuleType = pyarrow
    return module


@contextmanager
def explained(what: str, kind: type[IndexFileError] | type[InputError] = IndexFileError) -> Iterator[None]:
    """Turn the libraries' errors into one line that begins with `what`."""
    try:
        yield
    except UnheardError:
        raise
    except Exception as error:  # Lance panics on some damaged files, by an exception that has no module
        raise kind(f"{what}: {cause(error)}") from error


def insistent(table: Any, write: Callable[[], Result], uri: str) -> Result:
    """Carry out a write, again if another process got in first more often than Lance tries by itself.

    Raises:
        InputError: nothing can be written.
    """
    deadline = time.monotonic() + CONFLICT_PATIENCE
    while True:
        try:
            return write()
        except Exception as error:
            if not is_conflict(error) or time.monotonic() > deadline:
                with explained(f"cannot write to the index {uri}", InputError):
                    raise
            time.sleep(random.uniform(0.05, 0.5))
            table.checkout_latest()


def is_conflict(error: Exception) -> bool:
    """Whether another process has written to the same part in the meantime."""
    return "onflict" in str(error)


def flush(uri: str, table: str, since: int) -> None:
    """Wait until what was written to a table in a folder since then (`time.time_ns`) is on the disk.

    Lance leaves that to the system, and a power cut.
    """
    if not is_local(uri):
        return
    with explained(f"cannot write to the index {uri}", InputError):
        for folder, _, files in os.walk(Path(uri) / f"{table}.lance"):
            written = [path for name in files if _changed(path := os.path.join(folder, name), since)]
            for path in [*written, folder] if written else []:
                _fsync(path)


def _changed(path: str, since: int) -> bool:
    try:
        return os.stat(path).st_mtime_ns >= since - 10**9  # file systems round times
    except FileNotFoundError:  # cleaned up by another process
        return False


def _fsync(path: str) -> None:
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
