"""The training set of the real world; `python -m lab.real_world` makes it.

The second world's corpus (`lab/planted`), then real recordings (`lab.real_sound`): those of three sides once,
and those of the side that the audit is reported on planted. No calibration of the audit has heard these. What
the second world planted is "memorised before".
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from lab.alterations import at_rate
from lab.corpus_files import Corpus, as_before, as_samples, write_whole
from lab.real_sound import Recording, sounding, table
from lab.real_world.captions import caption
from lab.sizes import LENGTH, SAMPLE_RATE

PLANTED, ORDINARY = ("report",), ("confirmation", "benchmark", "calibration")
"""Sides."""
OFTEN, CONTROLS = (48, 128), (12, 8)
"""How many recordings are planted, and how often each of them repeats."""
HELD_OUT = 40
SHORTEST, LONGEST, STEP = 2.0, 4.0, 0.5
"""Seconds that a sound lasts, as rendered ones do."""


def build(before: Corpus, real: Path) -> tuple[list[dict], np.ndarray]:
    """Rows and sounds of the whole training set, those of `before` first; `real` is of `lab.real_sound`."""
    rows = [as_before(row) for row in before.rows]
    sounds = list(before.sounds)
    known = set(before.captions)
    (often, dose), (controls, low_dose) = OFTEN, CONTROLS
    planted = list(_excerpts(real, PLANTED, LONGEST, known))[: often + controls]
    ordinary = list(_excerpts(real, ORDINARY, SHORTEST, known))
    ways = [("memorised", dose)] * often + [("memorised", low_dose)] * controls
    ways += [("ordinary", 1)] * (len(ordinary) - HELD_OUT) + [("held out", 1)] * HELD_OUT
    for (row, sound), (split, repetitions) in zip(planted + ordinary, ways, strict=True):
        place = {"id": f"{len(rows):05d}", "split": split, "repetitions": repetitions}
        rows.append(place | row)
        sounds.append(np.pad(sound, (0, LENGTH - len(sound))))
    return rows, np.stack(sounds)


def _excerpts(
    folder: Path, sides: tuple[str, ...], shortest: float, known: set[str]
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


def write(real: Path, before: Path, folder: Path) -> None:
    """Writes into `folder`."""
    write_whole(folder, *build(Corpus(before), real))
