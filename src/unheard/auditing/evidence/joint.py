"""All kinds of evidence asked about one piece and one part, and joined as far as they were calibrated so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from unheard.auditing import calibration
from unheard.auditing.evidence.base import Evidence, Finding, agreeing
from unheard.auditing.evidence.calibrated import Calibrated
from unheard.auditing.features import Signal
from unheard.auditing.results import Part

SUSPICIOUS = 0.02
"""False-alarm rate of a comparison below which sounds count as similar."""


@dataclass(frozen=True)
class Group:
    """Kinds of evidence whose scores make one.

    Attributes:
        positions: of the kinds, in the order in which they are asked.
        false_alarm_rate, expected_false_alarms: of the group's score, see `Evidence`; among several groups a
            false alarm may come from each, and these rates allow for that.
    """

    positions: tuple[int, ...]
    false_alarm_rate: Callable[[float], float]
    expected_false_alarms: Callable[[float, int], float]

    def score_needed(self, comparisons: int, bound: float) -> float:
        """The score from which fewer than `bound` false alarms are expected in so many comparisons."""
        low, high = -50.0, 1.0
        while self.expected_false_alarms(high, comparisons) >= bound and high < 1e9:
            low, high = high, 2 * high
        for _ in range(60):
            middle = (low + high) / 2
            reached = self.expected_false_alarms(middle, comparisons) < bound
            low, high = (low, middle) if reached else (middle, high)
        return high


@dataclass(frozen=True)
class Weighed:
    """What a group of kinds says of a piece and a part.

    Attributes:
        group: whose score it is.
        score: of the group: decades, see `Calibration.score`, or the score of its only kind.
        parts: what each kind says, the one that places the finding first.
        finding: of that kind.
        agreeing: how many kinds have each found the same passage at the same place, 1 where each has another.
        convinced: findings of all kinds that would count as similar by themselves, that one among them.
    """

    group: Group
    score: float
    parts: tuple[Part, ...]
    finding: Finding
    agreeing: int
    convinced: tuple[Finding, ...]

    @property
    def false_alarm_rate(self) -> float:
        """Share of comparisons with a relative that is no copy that reach the score."""
        return self.group.false_alarm_rate(self.score)

    def expected_false_alarms(self, comparisons: int) -> float:
        """How many of so many comparisons reach the score by chance."""
        return self.group.expected_false_alarms(self.score, comparisons)

    def covers(self) -> np.ndarray:
        """All frames of the piece that are copied by what convinces, [frames] of truth values."""
        covered: np.ndarray = np.any([finding.covers() for finding in self.convinced], axis=0)
        return covered


def ask(kinds: Sequence[Evidence], piece: Sequence[Tensor], part: Sequence[Tensor]) -> list[Finding | None]:
    """What each kind finds in its features of a piece and of a part; it is told what those before found."""
    findings: list[Finding | None] = []
    found: dict[str, Finding] = {}
    for kind, ours, theirs in zip(kinds, piece, part, strict=True):
        finding = kind.compare(ours, theirs, found)
        findings.append(finding)
        if finding is not None:
            found[kind.name] = finding
    return findings


class Joint:
    """Kinds of evidence, in groups: those that were calibrated together, and each other by itself.

    Args:
        kinds: what is asked, in this order; one at least.
    """

    def __init__(self, kinds: Sequence[Evidence]) -> None:
        self.kinds = tuple(kinds)
        together: dict[int, tuple[calibration.Calibration, list[int]]] = {}
        apart: list[int] = []
        for position, kind in enumerate(self.kinds):
            if isinstance(kind, Calibrated) and kind.name in kind.bounds.weights:
                together.setdefault(id(kind.bounds), (kind.bounds, []))[1].append(position)
            else:
                apart.append(position)
        self.bounds = {tuple(positions): bounds for bounds, positions in together.values()}
        count = len(self.bounds) + len(apart)
        self.groups = [
            _group(positions, bounds.false_alarm_rate, bounds.expected_false_alarms, count)
            for positions, bounds in self.bounds.items()
        ] + [
            _group((position,), kind.false_alarm_rate, kind.expected_false_alarms, count)
            for position in apart
            for kind in (self.kinds[position],)
        ]

    def features(self, signal: Signal) -> list[Tensor]:
        """What each kind needs of a sound."""
        return [kind.features(signal) for kind in self.kinds]

    def weigh(self, piece: Sequence[Tensor], part: Sequence[Tensor]) -> list[Weighed]:
        """What each group finds in the features of a piece and of a part; none where it finds nothing."""
        findings = ask(self.kinds, piece, part)
        weighed = (self._weighed(group, findings) for group in self.groups)
        return [some for some in weighed if some is not None]

    def highest(self, piece: Sequence[Tensor], group: Group) -> float | None:
        """What a piece against itself scores by a group; None if that finds nothing."""
        found = [some.score for some in self.weigh(piece, piece) if some.group is group]
        return found[0] if found else None

    def nothing(self) -> float:
        """The score of the first group where no kind finds anything."""
        bounds = self.bounds.get(self.groups[0].positions)
        return 0.0 if bounds is None else bounds.score({})

    def _weighed(self, group: Group, findings: Sequence[Finding | None]) -> Weighed | None:
        said = [
            (Part(kind.name, finding.score, kind.false_alarm_rate(finding.score)), finding)
            for position in group.positions
            for kind, finding in ((self.kinds[position], findings[position]),)
            if finding is not None
        ]
        if not said:
            return None
        said.sort(key=lambda one: one[0].false_alarm_rate)  # stable: of equals the one asked first
        bounds = self.bounds.get(group.positions)
        together = agreeing([finding for _, finding in said])
        score = (
            said[0][0].score
            if bounds is None
            else bounds.score({part.kind: part.score for part, _ in said}, together)
        )
        convinced = [
            finding
            for number, (part, finding) in enumerate(said)
            if number == 0 or part.false_alarm_rate < SUSPICIOUS
        ]
        return Weighed(group, score, tuple(part for part, _ in said), said[0][1], together, tuple(convinced))


def _group(
    positions: tuple[int, ...],
    rate: Callable[[float], float],
    expected: Callable[[float, int], float],
    groups: int,
) -> Group:
    """A group among so many, by Bonferroni's inequality."""
    return Group(
        positions,
        lambda score: min(1.0, groups * rate(score)),
        lambda score, comparisons: groups * expected(score, comparisons),
    )
