"""Files that are written wholly or not at all, and their checksums."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from unheard.common.shards import opened
from unheard.errors import InputError


@contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """A file to write to, which takes the place of `path` when the block ends well.

    It lies beside `path` until then, so that a crash, a full disk or Ctrl-C leaves what was there before
    untouched.

    Raises:
        InputError: the folder does not exist, or nothing can be written there.
    """
    target = Path(os.path.realpath(path))  # a link stays a link; the file it points to is replaced
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:
        if not target.parent.is_dir():
            raise InputError(
                f"cannot write {path}: the folder {target.parent} does not exist; create it"
            ) from error
        raise InputError(f"cannot write {path}: {error.strerror or error}; choose another path") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


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


def cache_folder(name: str) -> Path:
    """A folder of the user's cache, for what can be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "unheard" / name
