"""From scores to how often chance reaches them, and from the scores of all kinds of evidence to one.

Measured on pairs of sounds that share nothing (`python -m lab.calibrate_audit`), of two sorts: unrelated
ones, and relatives, such as other phrases by the same instrument in the same key and tempo, or other takes of
one pack; and on copies of many kinds. Every kind of evidence has its null distribution. Up to a threshold the
rate is the share of the pairs; beyond, where pairs run out, it is the generalised Pareto tail fitted to the
excesses (Pickands 1975; Coles, An Introduction to Statistical Modeling of Extreme Values, 2001, ch. 4), with
a shape above 0, so that a rate never falls to zero.

Each kind hears copies that the others miss, so their scores are joined: a logistic regression of copies
against pairs that are none gives the likelihood ratio (Brümmer and du Preez 2006, "Application-independent
evaluation of speaker detection"). It asks as well whether kinds agree where the copy lies: chance seldom
leads them to one place. But what only one kind can hear, such as another tempo, is little in that sum,
however rare its score is. So a kind may stand alone: the score is the larger of the likelihood ratio and of
what the rarest kind says by itself. Its own null distribution gives the rates that verdicts stand on.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from unheard.auditing.features import PERIOD
from unheard.common.pareto_tail import ParetoTail

FILE = Path(__file__).with_suffix(".json")

ALONE = 2.0
"""Decades of its rarity that a kind which stands alone loses: one in a hundred comparisons says nothing."""
USUAL = 10.0
"""Seconds of a pair whose alignment's strength is its score."""
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
            return ParetoTail(self.threshold, self.beyond, self.scale, self.shape).rate(score)
        rank = bisect_left(self.quantiles, score)
        if rank == 0:
            return 1.0
        low, high = self.quantiles[rank - 1], self.quantiles[min(rank, len(self.quantiles) - 1)]
        within = (score - low) / (high - low) if high > low else 0.0
        below = min(1.0, (rank - 1 + within) / (len(self.quantiles) - 1))
        return 1 - below * (1 - self.beyond)


@dataclass(frozen=True)
class Null:
    """The scores of pairs that are no copies.

    Attributes:
        unrelated, relatives: the two sorts of pairs.
    """

    unrelated: Tail
    relatives: Tail

    def false_alarm_rate(self, score: float) -> float:
        """Share of comparisons with a relative that is no copy that reach this score, 0 to 1."""
        return max(self.relatives.rate(score), self.unrelated.rate(score))

    def expected_false_alarms(self, score: float, comparisons: int, relatives: int) -> float:
        """How many of so many comparisons would reach the score by chance, so many of them with relatives."""
        related = min(comparisons, relatives)
        return related * self.false_alarm_rate(score) + (comparisons - related) * self.unrelated.rate(score)


@dataclass(frozen=True)
class Weights:
    """What one kind's score adds to the logarithm of the likelihood ratio: linear * u + square * u^2.

    Attributes:
        scale: `u` is log(1 + score / scale).
        linear, square: 0 or more, so that a higher score never speaks against a copy.
    """

    scale: float
    linear: float
    square: float

    def added(self, score: float) -> float:
        """In decades, 0 or more."""
        u = math.log1p(max(score, 0.0) / self.scale)
        return self.linear * u + self.square * u * u


@dataclass(frozen=True)
class Calibration:
    """The null distributions, and how scores are joined.

    Attributes:
        name: what it was measured on.
        kinds: the null distribution of each kind's score, by the kind's name.
        weights: of each kind in the likelihood ratio.
        nothing: decades of the likelihood ratio where all scores are 0, below 0.
        same_place: decades that are added where two kinds, three, ... find the same passage at the same
            place; where more agree than it has numbers, the last.
        joint: the null distribution of `score`.
        assumed_relatives: how many references of a catalogue are taken for relatives of any sound.
        growth: power of the seconds with which the strengths of relatives' alignments grow.
        made_by: command, date and material.
    """

    name: str
    kinds: dict[str, Null]
    weights: dict[str, Weights]
    nothing: float
    same_place: tuple[float, ...]
    joint: Null
    assumed_relatives: int
    growth: float
    made_by: dict[str, Any]

    @classmethod
    def load(cls, path: Path = FILE) -> Self:
        """Read a calibration that `lab.calibrate_audit` wrote."""
        stored = json.loads(path.read_text("utf-8"))
        return cls(
            **stored
            | {
                "kinds": {name: stored_null(null) for name, null in stored["kinds"].items()},
                "weights": {name: Weights(**weights) for name, weights in stored["weights"].items()},
                "same_place": tuple(stored.get("same_place", ())),
                "joint": stored_null(stored["joint"]),
            }
        )

    def alignment_score(self, strength: float, room: float) -> float:
        """An alignment's strength, in frames of room for chance, as a score; higher is stronger evidence."""
        return strength / reached(room, self.growth)

    def score(self, scores: Mapping[str, float], agreeing: int = 1) -> float:
        """How much speaks for a copy, in decades: all kinds together or one alone, whichever says more.

        Args:
            scores: by kind; one that is missing, or found nothing, counts as 0.
            agreeing: how many kinds find the same passage at the same place, 1 or more.
        """
        rarest = min(
            (self.kinds[kind].false_alarm_rate(score) for kind, score in scores.items()), default=1.0
        )
        return max(self.likelihood_ratio(scores, agreeing), -math.log10(rarest) - ALONE)

    def likelihood_ratio(self, scores: Mapping[str, float], agreeing: int = 1) -> float:
        """How much likelier these scores are of a copy than of another sound, in decades (log10).

        Arguments are those of `score`.
        """
        said = sum(weights.added(scores.get(kind, 0.0)) for kind, weights in self.weights.items())
        return self.nothing + said + sum(self.same_place[: agreeing - 1][-1:])

    def false_alarm_rate(self, score: float) -> float:
        """Share of comparisons with a relative that is no copy that reach this `score`, 0 to 1."""
        return self.joint.false_alarm_rate(score)

    def expected_false_alarms(self, score: float, comparisons: int) -> float:
        """How many of this many comparisons would reach the `score` by chance."""
        return self.joint.expected_false_alarms(score, comparisons, self.assumed_relatives)


def stored_null(stored: dict[str, dict[str, Any]]) -> Null:
    """A null distribution as `dataclasses.asdict` gives it."""
    return Null(**{sort: Tail(**tail) for sort, tail in stored.items()})


def reached(room: float, growth: float) -> float:
    """How strong chance gets in so many frames of room, over how strong it gets in `USUAL` seconds."""
    return float((max(room * PERIOD, SHORT) / USUAL) ** growth)


@lru_cache(maxsize=1)
def default() -> Calibration:
    """The calibration in the package."""
    return Calibration.load()
