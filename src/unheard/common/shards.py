"""Where a sound lies: in a file, or in a tar shard on this machine, where it is read in place.

A member of a shard is written `shard.tar::member`, as an index of WebDataset shards has it. Compressed shards
can only be read from front to back, so that nothing in them is available. Of several members of one name the
first is meant.
"""

from __future__ import annotations

import io
import lzma
import os
import tarfile
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Self

from unheard.common.regular_files import open_regular
from unheard.errors import InputError

SEPARATOR = "::"
SHARDS_OPEN = 256
"""Shards whose tables of contents are held."""
LARGEST_MEMBER = 1 << 29
"""Bytes of a member that are held in memory."""
LARGEST_HEADER = 1 << 20
"""Bytes of a header that says more of the next member, such as a long name."""
SHARD_ERRORS = (
    tarfile.TarError, EOFError, OSError, ValueError, TypeError, LookupError, OverflowError, RecursionError,
    zlib.error, lzma.LZMAError,
)  # fmt: skip
"""What reading a damaged shard raises."""


class Member(tarfile.TarInfo):
    """A member of a shard, of which no more than `LARGEST_HEADER` of further headers is read."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str | None, errors: str) -> Self:
        member = super().frombuf(buf, encoding, errors)  # type: ignore[arg-type]
        if member.type in FURTHER_HEADERS and member.size > LARGEST_HEADER:
            raise tarfile.ReadError(f"a header of {member.size:,} bytes")
        return member


FURTHER_HEADERS = (
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)  # fmt: skip


def is_available(path: str | Path) -> bool:
    """Whether there is such a file, or such a member of a shard."""
    return os.path.isfile(path) or _member(path) is not None


def opened(path: str | Path) -> BinaryIO:
    """A file or a member of a shard, to be read.

    Raises:
        InputError: it is no regular file, or a member of more than `LARGEST_MEMBER` bytes; the message does
            not name it.
        OSError: it is not available, or cannot be read.
    """
    if not os.path.isfile(path) and (member := _member(path)) is not None:
        shard, first, size = member
        check_size(size)
        with open_regular(shard) as file:
            file.seek(first)
            return io.BytesIO(file.read(size))
    return open_regular(path)


def check_size(size: int, held: int = 0) -> None:
    """Raise InputError if a member has more bytes than are held in memory, or with what is `held` already."""
    if size + held > LARGEST_MEMBER:
        before = f", and {held:,} more the members of its sample before it" if held else ""
        raise InputError(
            f"it has {size:,} bytes{before}, and {LARGEST_MEMBER:,} are held of a shard at once; "
            "lay it beside the shards as a file"
        )


def members(shard: tarfile.TarFile) -> Iterator[tuple[str, tarfile.TarInfo]]:
    """Members of an open shard by name, in order, without folders and hidden ones; raises `SHARD_ERRORS`."""
    for member in shard:
        name = PurePosixPath(member.name)
        if not member.isdir() and not name.name.startswith("."):
            yield name.as_posix(), member


def sample_and_ending(member: str) -> tuple[str, str]:
    """The sample that a member belongs to, up to the first dot of its name, and what it is of the sample."""
    name = PurePosixPath(member)
    stem, _, ending = name.name.partition(".")
    return (name.parent / stem).as_posix(), ending


def _member(path: str | Path) -> tuple[Path, int, int] | None:
    """The shard that a path names, where its member begins there, and its bytes."""
    archive, separator, name = str(path).partition(f".tar{SEPARATOR}")
    shard = Path(f"{archive}.tar")
    if not separator or not os.path.isfile(shard):
        return None
    state = shard.stat()
    found = _contents(shard, state.st_mtime_ns, state.st_size).get(name)
    return None if found is None else (shard, *found)


@lru_cache(SHARDS_OPEN)
def _contents(shard: Path, changed: int, size: int) -> dict[str, tuple[int, int]]:
    """First byte and bytes of each member of a shard as it is now, of a damaged one before the damage.

    Also by names as older indexes have them, with what follows the first dot in lower case.
    """
    found: dict[str, tuple[int, int]] = {}
    lowered: dict[str, tuple[int, int]] = {}
    try:
        with tarfile.open(shard, "r:", tarinfo=Member) as file:
            for name, member in members(file):
                if member.isfile() and member.offset_data + member.size <= size:
                    sample, ending = sample_and_ending(name)
                    found.setdefault(name, (member.offset_data, member.size))
                    lowered.setdefault(f"{sample}.{ending.lower()}", (member.offset_data, member.size))
    except SHARD_ERRORS:
        pass
    return lowered | found
