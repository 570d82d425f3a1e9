"""The recording that a sound is near to, cut out to be played beside it, with the seconds that match."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unheard import audio
from unheard.auditing.results import BOUNDS
from unheard.common.files import write_whole
from unheard.errors import InputError
from unheard.generation.sound import Sound
from unheard.index import Item
from unheard.studio.workshop import Workshop

MARGIN = 5.0
"""Seconds of a recording that are cut out before and after what matches."""
LONGEST = 60.0
"""Seconds of a recording that are cut out at most, where nothing in it matches."""


@dataclass(frozen=True)
class Nearby:
    """A recording beside a sound.

    Attributes:
        id, caption: of the training item.
        words: why it is shown, such as "the nearest, cosine 0.879".
        path: the cut, in FLAC; None where the recording is not available.
        begins: second of the recording at which the cut begins.
        lasts: seconds of the cut.
        mark: the first and the last second of the recording that match; None where nothing does.
        sound_mark: the same of the sound.
        shift: seconds by which the matching passage begins later in the sound than in the recording.
    """

    id: str
    caption: str
    words: str
    path: Path | None = None
    begins: float = 0.0
    lasts: float = 0.0
    mark: tuple[float, float] | None = None
    sound_mark: tuple[float, float] | None = None
    shift: float = 0.0


def nearby(workshop: Workshop, sound: Sound) -> Nearby | None:
    """The recording to hear beside a sound, or None without any.

    It is the one that the audit finds in it; where that is none, the nearest by its embedding if that is
    available, and else the most alike of those that are.
    """
    audit = sound.provenance.get("audit") or {}
    matches = audit.get("matches") or []
    if matches and audit["verdict"] in BOUNDS:
        return _of_match(workshop, matches[0])
    for nearest in sound.nearest[:1]:
        if (path := workshop.training_set.recordings.get(nearest.id)) is not None:
            found = Nearby(nearest.id, nearest.caption, f"the nearest, cosine {nearest.similarity:.3f}")
            start, end = nearest.window_start or 0.0, nearest.window_end or LONGEST
            return _cut(workshop, found, path, start, min(end, start + LONGEST))
    if not matches:
        return None
    alike = _of_match(workshop, matches[0])
    return replace(alike, words="the most alike of those here, and no copy", mark=None, sound_mark=None)


def cut_of(workshop: Workshop, item: Item) -> Path | None:
    """The seconds of a training item that an index speaks of, to be played; None where they are not here."""
    path = workshop.training_set.recordings.get(item.id)
    if path is None:
        return None
    start, end = item.window_start or 0.0, item.window_end or LONGEST
    return _cut(workshop, Nearby(item.id, item.prompt, ""), path, start, end).path


def _of_match(workshop: Workshop, match: Mapping[str, Any]) -> Nearby:
    """The reference of a match, with what is alike marked on both sides."""
    mark = (match["reference_start"], match["reference_end"])
    found = Nearby(
        match["reference"],
        match["caption"] or "",
        f"{mark[0]:.1f} to {mark[1]:.1f} s of it match {match['start']:.1f} to {match['end']:.1f} s",
        mark=mark,
        sound_mark=(match["start"], match["end"]),
        shift=match["start"] - mark[0],
    )
    path = match["reference_path"] or workshop.training_set.recordings.get(match["reference"])
    return found if path is None else _cut(workshop, found, Path(path), mark[0] - MARGIN, mark[1] + MARGIN)


def _cut(workshop: Workshop, found: Nearby, path: Path, start: float, end: float) -> Nearby:
    """The same with seconds of a recording in a file that a browser plays; as it is if it cannot be read."""
    try:
        waveform, rate = audio.read(path)
    except InputError:
        return found
    first = max(0, round(start * rate))
    piece = waveform[:, first : max(first + 1, round(end * rate))]
    name = hashlib.sha256(f"{path} {first} {end}".encode()).hexdigest()[:16]
    target = workshop.served / f"{name}.flac"
    if not target.exists():
        write_whole(target, audio.encode(piece, rate, ".flac"))
    shift = -first / rate if found.mark is None else found.shift
    return replace(found, path=target, begins=first / rate, lasts=piece.shape[-1] / rate, shift=shift)
