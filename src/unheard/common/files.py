"""Files that are written wholly or not at all, one writer at a time; their names, and their checksums."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from unheard.common.shards import opened
from unheard.errors import InputError

FULL = errno.ENOSPC, errno.EDQUOT
"""What the system says of a disk without room, and of one on which a user has no more."""


@contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """A file to write to, which takes the place of `path` when the block ends well.

    It lies beside `path` until then, so that a crash, a full disk or Ctrl-C leaves what was there before
    untouched.

    Raises:
        InputError: the folder does not exist, nothing can be written there, or `path` is no regular file: a
            device or a pipe would be replaced, not written to.
    """
    target = Path(os.path.realpath(path))  # a link stays a link; the file it points to is replaced
    if os.path.lexists(target) and not os.path.isfile(target):
        itself = "a link that leads to itself" if os.path.islink(target) else "a device or a pipe"
        kind = "a folder" if os.path.isdir(target) else itself
        raise InputError(f"cannot write {path}: it is {kind}, not a file; choose another path")
    try:
        with _replacing(target) as file:
            yield file
    except OSError as error:
        raise _unwritable(path, target, error) from error


@contextmanager
def _replacing(target: Path) -> Iterator[BinaryIO]:
    """The same with the system's own errors; `target` is no link."""
    # Its own short name: one made of the target's would be too long where the target's only just fits.
    temporary = target.with_name(f".{secrets.token_hex(6)}.part")
    try:
        check_name(target)
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        with suppress(OSError):
            temporary.unlink()


def check_name(path: Path) -> None:
    """Raise OSError, before any work is done for it, if no file can have this name: it may be too long."""
    with suppress(FileNotFoundError):
        os.lstat(path)


def _unwritable(path: str | Path, target: Path, error: OSError) -> InputError:
    """Why `path`, which leads to `target`, cannot be written, in a line."""
    if not os.path.isdir(target.parent):
        return InputError(f"cannot write {path}: the folder {target.parent} does not exist; create it")
    room = "make room, or " if error.errno in FULL else ""
    return InputError(f"cannot write {path}: {error.strerror or error}; {room}choose another path")


@contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """The only process that reads and replaces `path` in such a block; others wait for its end.

    The lock is on a file `.NAME.lock` beside it. The system holds it, and lets go of it when the process
    ends, however it ends: what a killed process leaves locks nobody out.

    Raises:
        InputError: nothing can be written there.
    """
    target = Path(os.path.realpath(path))
    lock = target.with_name(f".{shortened(target.name, LONGEST_NAME - len('..lock'))}.lock")
    try:
        handle = _hold(lock)
    except OSError as error:
        raise _unwritable(path, target, error) from error
    try:
        yield
    finally:
        with suppress(OSError):
            lock.unlink()
        os.close(handle)


def _hold(lock: Path) -> int:
    """The handle of a lock's file that is held by nobody else, and still is the file of that name."""
    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(handle), os.stat(lock)):
                return handle
        except FileNotFoundError:
            pass  # whoever held it before has taken the file away
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


LONGEST_NAME = 255
"""Bytes that a file's name may have, on any system in use."""


def shortened(name: str, size: int) -> str:
    """As many whole characters of a name as `size` bytes hold, in whatever form a file system stores them."""
    kept = 0
    for length, character in enumerate(name):
        forms = (character, unicodedata.normalize("NFD", character))
        kept += max(len(form.encode("utf-8", "surrogateescape")) for form in forms)
        if kept > size:
            return name[:length]
    return name


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file wholly or not at all, see `replacing`."""
    with replacing(path) as file:
        file.write(content)


def sha256(*paths: str | Path) -> str:
    """SHA-256 of the files' contents one after the other, in hexadecimal; also of members of shards."""
    digest = hashlib.sha256()
    for path in paths:
        with opened(path) as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def files_in(
    folder: str | Path, *, hidden: bool = False, broken: Callable[[str], None] = lambda path: None
) -> Iterator[str]:
    """Every file in a folder at any depth, in the same order each time; in folders that are links, too.

    Each folder is gone through once, under its own path if that lies in `folder`: so links in a circle end,
    and no file comes twice.

    Args:
        folder: where to begin.
        hidden: whether what begins with a dot is looked at.
        broken: called with each link that leads nowhere.

    Raises:
        InputError: a folder cannot be read.
    """
    seen: set[tuple[int, int]] = set()
    waiting, links = [str(folder)], list[str]()
    while waiting or links:
        if not waiting:
            waiting, links = links[::-1], []
        path = waiting.pop()
        try:
            state = os.stat(path)
            if (state.st_dev, state.st_ino) in seen:
                continue
            seen.add((state.st_dev, state.st_ino))
            with os.scandir(path) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            raise InputError(f"cannot read the folder {path}: {error.strerror or error}") from error
        folders: list[str] = []
        for entry in entries:
            if entry.name.startswith(".") and not hidden:
                continue
            if entry.is_symlink() and not os.path.exists(entry.path):
                broken(entry.path)
            elif entry.is_dir():
                (links if entry.is_symlink() else folders).append(entry.path)
            else:
                yield entry.path
        waiting += folders[::-1]


def cache_folder(name: str) -> Path:
    """A folder of the user's cache, for what can be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "unheard" / name


def write_to_cache(path: Path, content: bytes) -> None:
    """Write a file of a cache wholly or not at all, in a folder that is made if it is not there.

    Raises:
        InputError: that cannot be done. It names the cache, of which whoever runs a command may not know.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _replacing(Path(os.path.realpath(path))) as file:
            file.write(content)
    except OSError as error:
        raise InputError(not_cached(path.parent, error)) from error


def not_cached(folder: Path, error: OSError) -> str:
    """Why nothing can be written to a folder of the user's cache, and what to do."""
    remedy = "set XDG_CACHE_HOME to a folder that can be written"
    if error.errno in FULL:
        remedy = "make room there, or set XDG_CACHE_HOME to another folder"
    return f"cannot write to the cache {folder}: {error.strerror or error}; {remedy}"


def data_folder(name: str) -> Path:
    """A folder of the user's data, for what it took long to make."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "unheard" / name


def check_data_folder(name: str, holds: str) -> None:
    """Look, before the work whose result it `holds`, whether `data_folder` can be made and written in.

    Raises:
        InputError: it cannot.
    """
    folder = data_folder(name)
    if (reason := _obstacle(folder)) is not None:
        raise _not_kept(holds, folder, reason)


def make_data_folder(name: str, holds: str) -> Path:
    """`data_folder`, made if it is not there, for the result that it `holds`.

    Raises:
        InputError: nothing can be written there.
    """
    folder = data_folder(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_kept(holds, folder, error.strerror) from error
    check_data_folder(name, holds)
    return folder


def _not_kept(holds: str, folder: Path, reason: str | None) -> InputError:
    return InputError(
        f"cannot keep {holds} in {folder}: {reason}: name a file with --output, or another folder for data "
        "with XDG_DATA_HOME"
    )


def check_folder(path: Path) -> None:
    """A folder that is there, or is made later, when the first file is written into it.

    Raises:
        InputError: it, or the nearest one above it that is there, is a file, or cannot be written in.
    """
    if (reason := _obstacle(path)) is not None:
        raise InputError(f"cannot write to {path}: {reason}; choose another folder")


def _obstacle(path: Path) -> str | None:
    """Why nothing can be written into a folder, there or to be made; None where it can."""
    there = next(each for each in (path, *path.absolute().parents) if os.path.lexists(each))
    if not os.path.isdir(there):
        return f"{there} is not a folder"
    try:
        with tempfile.TemporaryFile(dir=there):
            return None
    except OSError as error:
        return error.strerror or str(error)
