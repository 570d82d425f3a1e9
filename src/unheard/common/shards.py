"""Where a sound lies: in a file, or in a tar shard on this machine, where it is read in place.

A member of a shard is written `shard.tar::sample.ending`, as an index of WebDataset shards has it. Compressed
shards can only be read from front to back, so that nothing in them is available.
"""

from __future__ import annotations

import io
import tarfile
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO

SEPARATOR = "::"
SHARDS_OPEN = 256
"""Shards whose tables of contents are held."""


def is_available(path: str | Path) -> bool:
    """Whether there is such a file, or such a member of a shard."""
    return Path(path).is_file() or _member(path) is not None


def opened(path: str | Path) -> BinaryIO:
    """A file or a member of a shard, to be read; FileNotFoundError if it is not available."""
    if not Path(path).is_file() and (member := _member(path)) is not None:
        shard, first, size = member
        with open(shard, "rb") as file:
            file.seek(first)
            return io.BytesIO(file.read(size))
    return open(path, "rb")


def sample_and_ending(member: str) -> tuple[str, str]:
    """The sample that a shard's member belongs to, up to the first dot of its name, and what it is of it."""
    name = PurePosixPath(member)
    stem, _, ending = name.name.partition(".")
    return (name.parent / stem).as_posix(), ending.lower()


def _member(path: str | Path) -> tuple[Path, int, int] | None:
    """The shard that a path names, where its member begins there, and its bytes."""
    archive, separator, name = str(path).partition(f".tar{SEPARATOR}")
    shard = Path(f"{archive}.tar")
    if not separator or not shard.is_file():
        return None
    state = shard.stat()
    found = _contents(shard, state.st_mtime_ns, state.st_size).get(name)
    return None if found is None else (shard, *found)


@lru_cache(SHARDS_OPEN)
def _contents(shard: Path, changed: int, size: int) -> dict[str, tuple[int, int]]:
    """First byte and bytes of each member of a shard as it is now, of a damaged one before the damage."""
    found: dict[str, tuple[int, int]] = {}
    try:
        with tarfile.open(shard, "r:") as file:
            for member in file:
                if member.isfile() and member.offset_data + member.size <= size:
                    sample, ending = sample_and_ending(member.name)
                    found.setdefault(f"{sample}.{ending}", (member.offset_data, member.size))
    except (tarfile.TarError, EOFError, OSError):
        pass
    return found
