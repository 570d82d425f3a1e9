"""From a score to how often chance reaches it.

Measured on pairs of sounds that share nothing (`python -m lab.calibrate_audit`), of two sorts: unrelated
ones, and relatives, such as other phrases by the same instrument in the same key and tempo, or other takes of
one loop pack. Up to a threshold the rate is the share of the pairs; beyond, where pairs run out, it is the
generalised Pareto tail fitted to the excesses (Pickands 1975; Coles, An Introduction to Statistical Modeling
of Extreme Values, 2001, ch. 4), with a shape above 0, so that a rate never falls to zero.

In ten seconds chance has more room than in four, and what it reaches grows with them. So an alignment's
strength is read against the seconds in which it was found, and that is the score.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from unheard.auditing.features import PERIOD

FILE = Path(__file__).with_suffix(".json")

USUAL = 10.0
"""Seconds of a pair whose strength is its score."""
SHORT = 4.0
"""Seconds below which chance is not taken to reach less: what is so short holds few different events."""


@dataclass(frozen=True)
class Tail:
    """How the scores of one sort of pairs are distributed.

    Attributes:
        pairs: how many there were.
        quantiles: scores below which 0 %, 1 % ... 100 % of them up to `threshold` lie, rising.
        threshold: score from which the fitted tail holds.
        beyond: share of the pairs beyond it.
        scale, shape: of the generalised Pareto distribution of what exceeds it.
    """

    pairs: int
    quantiles: tuple[float, ...]
    threshold: float
    beyond: float
    scale: float
    shape: float

    def rate(self, score: float) -> float:
        """Share of such pairs that reach a score, 0 to 1."""
        if score >= self.threshold:
            excess = (score - self.threshold) / self.scale
            if self.shape < 1e-6:
                return self.beyond * math.exp(-excess)
            return self.beyond * float((1 + self.shape * excess) ** (-1 / self.shape))
        rank = bisect_left(self.quantiles, score)
        if rank == 0:
            return 1.0
        low, high = self.quantiles[rank - 1], self.quantiles[min(rank, len(self.quantiles) - 1)]
        within = (score - low) / (high - low) if high > low else 0.0
        below = min(1.0, (rank - 1 + within) / (len(self.quantiles) - 1))
        return 1 - below * (1 - self.beyond)


@dataclass(frozen=True)
class Calibration:
    """The tails, and the bounds by which a verdict is given.

    Attributes:
        name: what it was measured on.
        unrelated, relatives: the two sorts of pairs.
        assumed_relatives: how many references of a catalogue are taken for relatives of any sound.
        growth: power of the seconds with which the strengths of relatives grow.
        made_by: command, date and material.
    """

    name: str
    unrelated: Tail
    relatives: Tail
    assumed_relatives: int
    growth: float
    made_by: dict[str, Any]

    @classmethod
    def load(cls, path: Path = FILE) -> Self:
        """Read a calibration that `lab.calibrate_audit` wrote."""
        stored = json.loads(path.read_text("utf-8"))
        for sort in ("unrelated", "relatives"):
            stored[sort] = Tail(**stored[sort])
        return cls(**stored)

    def score(self, strength: float, room: float) -> float:
        """An alignment's strength, in frames of room for chance, as a score; higher is stronger evidence."""
        return strength / reached(room, self.growth)

    def false_alarm_rate(self, score: float) -> float:
        """Share of comparisons with a relative that is no copy that reach this score, 0 to 1."""
        return max(self.relatives.rate(score), self.unrelated.rate(score))

    def expected_false_alarms(self, score: float, comparisons: int) -> float:
        """How many of this many comparisons would reach the score by chance, some of them with relatives."""
        relatives = min(comparisons, self.assumed_relatives)
        strangers = comparisons - relatives
        return relatives * self.false_alarm_rate(score) + strangers * self.unrelated.rate(score)


def reached(room: float, growth: float) -> float:
    """How strong chance gets in so many frames of room, over how strong it gets in `USUAL` seconds."""
    return float((max(room * PERIOD, SHORT) / USUAL) ** growth)


@lru_cache(maxsize=1)
def default() -> Calibration:
    """The calibration in the package."""
    return Calibration.load()
