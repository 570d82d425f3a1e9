"""The training set of the real world; `python -m lab.real_world` makes it.

The second world's corpus (`lab/planted`), then real recordings (`lab.real_sound`): those of one side planted,
and those of `ONCE` that are not planted, once. No calibration of the audit has heard the planted ones. What
the second world planted is "memorised before".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from lab.alterations import at_rate
from lab.corpus_files import Corpus, as_before, as_samples, write_whole
from lab.real_sound import Recording, Side, sounding, table
from lab.real_world.captions import caption
from lab.sizes import LENGTH, SAMPLE_RATE

PLANTED = {"report": (48, 12), "confirmation": (60, 12), "benchmark": (56, 12), "proof": (46, 9)}
"""How many recordings of a side are planted to be learnt by heart, and how many as controls."""
ONCE: tuple[Side, ...] = ("calibration", "benchmark", "confirmation", "report")
"""Sides whose recordings occur once where they are not planted: those that there were before the others."""
OFTEN, SELDOM = 128, 8
"""How often each of them repeats."""
HELD_OUT = 40
SHORTEST, LONGEST, STEP = 2.0, 4.0, 0.5
"""Seconds that a sound lasts, as rendered ones do."""


def build(before: Corpus, real: Path, side: Side) -> tuple[list[dict], np.ndarray]:
    """Rows and sounds of the whole training set, those of `before` first; a `side` of `real` is planted."""
    rows = [as_before(row) for row in before.rows]
    sounds = list(before.sounds)
    known = set(before.captions)
    often, controls = PLANTED[side]
    others = [other for other in ONCE if other != side]
    planted = list(_excerpts(real, [side], LONGEST, known))[: often + controls]
    ordinary = list(_excerpts(real, others, SHORTEST, known))
    ways = [("memorised", OFTEN)] * often + [("memorised", SELDOM)] * controls
    ways += [("ordinary", 1)] * (len(ordinary) - HELD_OUT) + [("held out", 1)] * HELD_OUT
    for (row, sound), (split, repetitions) in zip(planted + ordinary, ways, strict=True):
        place = {"id": f"{len(rows):05d}", "split": split, "repetitions": repetitions}
        rows.append(place | row)
        sounds.append(np.pad(sound, (0, LENGTH - len(sound))))
    return rows, np.stack(sounds)


def _excerpts(
    folder: Path, sides: Sequence[Side], shortest: float, known: set[str]
) -> Iterator[tuple[dict, np.ndarray]]:
    """Rows and the first seconds of recordings whose captions are not `known`, which grows."""
    for recording in table(folder):
        name = caption(recording)
        if recording.side not in sides or recording.seconds < shortest or name is None or name in known:
            continue
        duration = min(LONGEST, recording.seconds // STEP * STEP)
        start, rate = soundfile.read(folder / recording.file, dtype="float32")
        start = start[: round(duration * rate)]
        if sounding(start) < duration / 2:
            continue
        known.add(name)
        yield _row(name, recording, duration), as_samples(at_rate(start, rate, SAMPLE_RATE))


def _row(name: str, recording: Recording, duration: float) -> dict:
    """That of a recording, which is of no instrument that the sound font has."""
    return {
        "caption": name,
        "family": "real",
        "instrument": None,
        "program": None,
        "drums": False,
        "figure": None,
        "key": None,
        "tempo": None,
        "duration": duration,
        "prose": True,
        "recording": recording.file,
        "licence": recording.licence,
    }


def write(real: Path, side: Side, before: Path, folder: Path) -> None:
    """Writes into `folder`; `real` is of `lab.real_sound`."""
    write_whole(folder, *build(Corpus(before), real, side))
