"""Calibrates likenesses: `python -m lab.calibrate_likeness --real build/real` (some minutes on one core).

Writes what the package brings beside `unheard.auditing.likeness.null_distributions`: how the scores of pairs
that were made independently of one another are distributed, for each kind of likeness. The material is
rendered families (`audit_material`) of a world of their own, and the calibration's side of real recordings
(`python -m lab.real_sound`). Every sound meets all relatives (other phrases of its family, other sounds of
its pack) and some strangers. Sounds of one piece are never compared, and pairs in which one is shorter than
the shortest passage do not count: their score is 0 by definition.
"""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from itertools import chain, combinations
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lab.alterations import SAMPLE_RATE
from lab.audit_material import Specimen, as_signal, family
from lab.calibrate_audit import null, spread
from lab.real_sound import specimens as real_specimens
from unheard.auditing.calibration import Null
from unheard.auditing.likeness import UNUSUAL, Likeness, Rhythm, Tune
from unheard.auditing.likeness.agreement import LEAST, TEMPI
from unheard.auditing.likeness.null_distributions import FILE, Calibrated, NullDistributions

KINDS: tuple[type[Calibrated], ...] = (Tune, Rhythm)
MEMBERS, SECONDS = 4, 10.0
"""Of a rendered family."""
STRANGERS = 4
"""Unrelated sounds that each meets."""
SHORTEST = LEAST * max(TEMPI)
"""Seconds of a sound that can be alike to another at every tempo."""

Pair = tuple[str, int, int]
"""Sort, and the positions of two sounds."""


def material(real: Path | None, families: int, workers: int) -> list[Specimen]:
    """Rendered families and real sounds that are long enough."""
    names = [f"likeness calibration {number}" for number in range(families)]
    found = list(chain(*spread(_family, names, workers)))
    if real is not None:
        found += real_specimens(real, "calibration")
    return [some for some in found if len(some.sound) >= SHORTEST * SAMPLE_RATE]


def _family(name: str) -> list[Specimen]:
    return list(family(name, MEMBERS, SECONDS))


def features(kinds: Sequence[Likeness], sound: np.ndarray) -> list[Tensor]:
    """What each kind needs of a sound [time] at `SAMPLE_RATE`."""
    signal = as_signal(sound)
    return [kind.features(signal) for kind in kinds]


def pairs(specimens: Sequence[Specimen]) -> list[Pair]:
    """All pairs of relatives, and `STRANGERS` of every sound with unrelated ones."""
    found = [
        ("relative", one, other)
        for one, other in combinations(range(len(specimens)), 2)
        if specimens[one].family == specimens[other].family and specimens[one].piece != specimens[other].piece
    ]
    rng = np.random.default_rng(0)
    for one, some in enumerate(specimens):
        strangers = [other for other, them in enumerate(specimens) if them.family != some.family]
        found += [("unrelated", one, int(other)) for other in rng.choice(strangers, STRANGERS, replace=False)]
    return found


def scores(kinds: Sequence[Likeness], sounds: Sequence[Sequence[Tensor]], pair: Pair) -> list[float]:
    """Of a pair, by each kind."""
    _, one, other = pair
    return [
        kind.compare(ours, theirs)
        for kind, ours, theirs in zip(kinds, sounds[one], sounds[other], strict=True)
    ]


def calibrate(
    specimens: Sequence[Specimen], sounds: Sequence[Sequence[Tensor]], command: str, workers: int
) -> NullDistributions:
    """The null distributions of all kinds."""
    met = pairs(specimens)
    of_pairs = np.array(list(spread(partial(scores, uncalibrated(), sounds), met, workers)))
    sorts = np.array([sort for sort, _, _ in met])
    made_by = {
        "command": command,
        "date": datetime.date.today().isoformat(),
        "sounds": len(specimens),
        **{f"{sort}_pairs": int((sorts == sort).sum()) for sort in ("unrelated", "relative")},
    }
    nulls = {kind.name: null(column, sorts) for kind, column in zip(KINDS, of_pairs.T, strict=True)}
    return NullDistributions("real and rendered sounds of 2 to 12 s", nulls, made_by)


def uncalibrated() -> list[Likeness]:
    """The kinds without null distributions, for scores alone."""
    return [kind(NullDistributions("none", {}, {})) for kind in KINDS]  # type: ignore[misc]


def score_at(some: Null, rate: float) -> float:
    """The score from which comparisons with relatives reach it less often than `rate`."""
    return next((score for score in np.arange(0, 100, 0.05) if some.false_alarm_rate(score) < rate), np.inf)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real", type=Path, help="folder of `python -m lab.real_sound`")
    parser.add_argument("--families", type=int, default=120, help="rendered families (default: 120)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--out", type=Path, default=FILE, help="where the null distributions go")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    specimens = material(arguments.real, arguments.families, arguments.workers)
    heard = list(
        spread(partial(features, uncalibrated()), [some.sound for some in specimens], arguments.workers)
    )
    command = f"python -m lab.calibrate_likeness --families {arguments.families}"
    command += " --real FOLDER" * bool(arguments.real)
    result = calibrate(specimens, heard, command, arguments.workers)
    arguments.out.write_text(json.dumps(asdict(result), indent=1) + "\n")
    print(", ".join(f"{key} {value}" for key, value in result.made_by.items()))
    for name, some in result.kinds.items():
        at = score_at(some, UNUSUAL)
        print(f"{name}: one false alarm in {1 / UNUSUAL:.0f} comparisons from a score of {at:.2f}")


if __name__ == "__main__":
    main()
