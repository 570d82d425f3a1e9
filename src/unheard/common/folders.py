"""All files in a folder, at any depth, through links to other folders too."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from unheard.errors import InputError


def walk(folder: str | Path) -> Iterator[str]:
    """Paths of the files in a folder, in an order that is the same in every run; hidden ones are left out.

    Links to folders are followed: not those that lead into the folder itself or above it, and of several to
    one folder the first.

    Raises:
        InputError: a folder that cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise InputError(f"cannot read the folder {error.filename}: {error.strerror}") from error

    root = os.path.realpath(folder)
    followed: set[str] = set()
    for inside, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        folders[:] = [
            name
            for name in sorted(folders)
            if not name.startswith(".") and _is_new(os.path.join(inside, name), root, followed)
        ]
        for name in sorted(files):
            if not name.startswith("."):
                yield os.path.join(inside, name)


def _is_new(folder: str, root: str, followed: set[str]) -> bool:
    """Whether a folder is to be walked: not through a link that leads back, or where another one led."""
    if not os.path.islink(folder):
        return True
    target = os.path.realpath(folder)
    if target in followed or os.path.commonpath([target, root]) in (target, root):
        return False
    followed.add(target)
    return True
