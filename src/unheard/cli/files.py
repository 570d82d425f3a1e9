"""Files and folders named on the command line: what a pattern matches, and what can be written.

Whatever is wrong with them is found out before the work begins.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from unheard.common.files import check_folder, check_name
from unheard.errors import InputError


def matching(names: Sequence[str]) -> list[str]:
    """Names as given, and patterns that no shell expanded as what they match.

    Raises:
        InputError: a name of nothing.
    """
    found: list[str] = []
    for name in names:
        if os.path.exists(name):
            found.append(name)
        elif glob.has_magic(name) and (matches := sorted(glob.glob(name, recursive=True))):
            found += matches
        else:
            what = "matches nothing" if glob.has_magic(name) else "does not exist"
            raise InputError(f"cannot read {name}: it {what}; name sound files or folders")
    return found


def check_writable(paths: Iterable[Path]) -> None:
    """Files that are to be written, or replaced.

    Raises:
        InputError: one is a folder, its folder is not there, or nothing can be written in it.
    """
    files = list(paths)
    for path in files:
        try:
            check_name(path)
        except NotADirectoryError:
            pass  # which is told of below
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror}; choose another name") from error
        if os.path.isdir(path):
            raise InputError(f"cannot write {path}: it is a folder; give another name")
        if os.path.islink(os.path.realpath(path)):
            raise InputError(f"cannot write {path}: it is a link that leads to itself; give another name")
        if os.path.exists(path) and not os.path.isfile(path):
            raise InputError(f"cannot write {path}: it is a device or a pipe; give the name of a file")
    for folder in dict.fromkeys(_parent(path) for path in files):
        if not os.path.isdir(folder):
            if os.path.exists(folder):
                raise InputError(f"cannot write to {folder}: it is not a folder; give another name")
            raise InputError(
                f"cannot write to {folder}: it does not exist; make it first (mkdir -p {folder})"
            )
        check_folder(folder)


def _parent(path: Path) -> Path:
    """The folder in which a file is written: of a link, that of the file it points to."""
    return Path(os.path.realpath(path)).parent if path.is_symlink() else path.parent


def make_folder(path: Path) -> Path:
    """A folder for sounds, made if it is not there.

    Raises:
        InputError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write sounds to {path}: {error.strerror or error}") from error
    return path
