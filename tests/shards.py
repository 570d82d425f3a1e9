"""Tar shards of what is to be read back."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path


def write_members(path: Path, members: Mapping[str, bytes], mode: str = "w") -> Path:
    """A shard with these members, in this order; `mode` as of `tarfile.open`, "a" for more of them."""
    with tarfile.open(path, mode) as shard:  # type: ignore[call-overload]
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            shard.addfile(member, io.BytesIO(content))
    return path
