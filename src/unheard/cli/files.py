"""Files and folders named on the command line: what a pattern matches, and what can be written.

Whatever is wrong with them is found out before the work begins.
"""

from __future__ import annotations

import glob
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from unheard.errors import InputError


def matching(names: Sequence[str]) -> list[str]:
    """Names as given, and patterns that no shell expanded as what they match.

    Raises:
        InputError: a name of nothing.
    """
    found: list[str] = []
    for name in names:
        if Path(name).exists():
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
        if path.is_dir():
            raise InputError(f"cannot write {path}: it is a folder; give another name")
    for folder in dict.fromkeys(path.parent for path in files):
        if not folder.is_dir():
            problem = "is not a folder" if folder.exists() else "does not exist"
            raise InputError(f"cannot write to {folder}: it {problem}; make it first (mkdir -p {folder})")
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise InputError(f"cannot write to {folder}: {error.strerror}; choose another folder") from error


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
