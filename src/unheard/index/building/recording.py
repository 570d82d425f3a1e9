"""A recording as its source names it, and what is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Recording:
    """A sound as its source names it, not yet read.

    Attributes:
        id: its name in the index, the same in every run.
        source: where it is: a path, or `shard.tar::member`.
        content: the bytes of a shard's member; None for a file, which lies at `source`.
        prompt: caption, or None.
        seconds_start, seconds_total: timing the model was trained with; None for 0 and the sound's length.
        further: whatever else the source says of it, such as licence and URL.
        remarks: what of that could not be taken as it stands there, a sentence each.
    """

    id: str
    source: str
    content: bytes | None = field(default=None, repr=False)
    prompt: str | None = None
    seconds_start: float | None = None
    seconds_total: float | None = None
    further: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reject:
    """What is left out, and why (a sentence without the name); its id, where it has come to have one."""

    source: str
    reason: str
    id: str | None = None


@dataclass(frozen=True)
class Remark(Reject):
    """What is taken, but not as its source has it, and how (a sentence without the name)."""
