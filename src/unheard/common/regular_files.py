"""Files that are opened to be read: regular ones only, so that no pipe or device is waited for."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from unheard.errors import InputError

KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}
"""What else a path may name, by the file type in its mode."""


def open_regular(path: str | Path) -> BinaryIO:
    """A regular file, to be read; a link is followed.

    Raises:
        InputError: it is a pipe, a socket, a device or a folder, or its name is none that a file can have;
            the message does not repeat the name.
        OSError: it does not exist or cannot be opened.
    """
    try:
        # Opening a pipe would wait for a writer, and a device may never end.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except ValueError as error:
        raise InputError(f"its name is none that a file can have: {error}") from error
    except OSError as error:
        # A socket cannot be opened at all.
        raise (InputError(refusal) if (refusal := what_else(path)) else error) from error
    kind = stat.S_IFMT(os.fstat(handle).st_mode)
    if kind != stat.S_IFREG:
        os.close(handle)
        raise InputError(f"it is {KINDS.get(kind, 'no regular file')}: only regular files are read")
    return os.fdopen(handle, "rb")


def what_else(path: str | Path) -> str | None:
    """Why a path that exists is not read, or None: it is a regular file, or there is nothing of the name."""
    try:
        kind = stat.S_IFMT(os.stat(path).st_mode)
    except (OSError, ValueError):
        return None
    if kind == stat.S_IFREG:
        return None
    return f"it is {KINDS.get(kind, 'no regular file')}: only regular files are read"


def read_regular(path: str | Path, most: int) -> bytes:
    """All of a regular file.

    Args:
        path: to it.
        most: bytes that it may have.

    Raises:
        InputError: it has more, or is no regular file.
        OSError: it does not exist or cannot be read.
    """
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise InputError(f"it has more than {most:,} bytes, the most that is read of such a file")
    return content
