"""A recording as its source names it, and what is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SOUNDS = frozenset("wav wave flac ogg oga opus mp3 aif aiff aifc au snd caf w64 rf64".split())  # noqa: SIM905
"""Endings of what libsndfile reads."""
OTHER_SOUNDS = frozenset("m4a aac wma mp4 mka webm".split())  # noqa: SIM905
"""Endings of sounds that it does not read: these are rejected by name instead of being passed over."""


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
    """

    id: str
    source: str
    content: bytes | None = field(default=None, repr=False)
    prompt: str | None = None
    seconds_start: float | None = None
    seconds_total: float | None = None
    further: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reject:
    """What is left out, and why (a sentence without the name); its id, where it has come to have one."""

    source: str
    reason: str
    id: str | None = None


def ending_of(name: str) -> str:
    """What follows the last dot of a name, in lower case; empty without a dot."""
    return name.rpartition(".")[2].lower() if "." in name else ""


def is_sound(name: str) -> bool:
    """Whether a name ends as a sound's does, of those that cannot be read too."""
    return ending_of(name) in SOUNDS | OTHER_SOUNDS
