"""What a kind of evidence is: it compares a piece of a sound with a part of a reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from torch import Tensor

from unheard.auditing.features import Signal

SAME_PLACE = 3
"""Frames by which places may differ and be one: 75 ms."""


@dataclass(frozen=True)
class Finding:
    """What a kind finds in common to a piece of a sound and a part of a reference.

    Attributes:
        score: strength of the evidence, 0 or more; higher is stronger. Only its kind can read it.
        start, end: frames of the piece that are in the reference; `end` is exclusive.
        reference_start, reference_end: frames of the part where they are.
        covers: gives all frames of the piece that are copied [frames], as truth values; asked only where the
            finding is convincing, since it may cost.
        stretch: how much longer the passage lasts in the piece; 1.0 is the same tempo.
        transposition: semitones by which the piece is higher.
        follows: whether it was looked for only where earlier kinds had found something; that it is where
            these are says nothing then.
    """

    score: float
    start: int
    end: int
    reference_start: int
    reference_end: int
    covers: Callable[[], np.ndarray]
    stretch: float = 1.0
    transposition: float = 0.0
    follows: bool = False

    @classmethod
    def at_lag(cls, score: float, frames: int, start: int, end: int, lag: int) -> Self:
        """One passage of a piece of so many frames, which lies `lag` frames later in the part."""
        covers = partial(passage, frames, start, end)
        return cls(score, start, end, start + lag, end + lag, covers)

    @property
    def lags(self) -> tuple[int, int]:
        """Frames by which the passage lies later in the part than in the piece, where it begins and ends."""
        return self.reference_start - self.start, self.reference_end - self.end

    def agrees(self, other: Finding) -> bool:
        """Whether another finding, of the same piece and part, has the same passage at the same place.

        Both passages overlap, and in the middle of that they are `SAME_PLACE` frames apart at most.
        """
        first, last = max(self.start, other.start), min(self.end, other.end)
        middle = (first + last) / 2
        apart = abs(self._reference_at(middle) - other._reference_at(middle))
        return first < last and apart <= SAME_PLACE

    def _reference_at(self, frame: float) -> float:
        """The frame of the part where a frame of the piece comes from."""
        return self.reference_start + (frame - self.start) / self.stretch


def agreeing(findings: Sequence[Finding]) -> int:
    """How many findings, of the same piece and part, have the same passage at the same place; 0 of none.

    Those that follow others are not counted.
    """
    own = [finding for finding in findings if not finding.follows]
    return max((sum(one.agrees(other) for other in own) for one in own), default=0)


def passage(frames: int, start: int, end: int) -> np.ndarray:
    """The frames [frames] of one passage, as truth values: for `Finding.covers`; `end` is exclusive."""
    inside = np.zeros(frames, bool)
    inside[start:end] = True
    return inside


class Evidence(Protocol):
    """A kind of evidence, with the null distribution that its scores are read against.

    Attributes:
        name: what results call it.
    """

    name: ClassVar[str]

    @property
    def calibration(self) -> dict[str, Any]:
        """Where its rates come from: the command, the date, the material."""
        ...

    def features(self, signal: Signal) -> Tensor:
        """What it needs of a sound [frames, ...], as many frames as `Signal.features` has."""
        ...

    def compare(self, piece: Tensor, part: Tensor, found: Mapping[str, Finding]) -> Finding | None:
        """The strongest finding in features of a piece and of a part [frames, ...]; None if there is none.

        `found` has what the kinds asked before find in the same two, by their names.
        """
        ...

    def false_alarm_rate(self, score: float) -> float:
        """Share of comparisons with a relative that is no copy that reach this score, 0 to 1; never rises."""
        ...

    def expected_false_alarms(self, score: float, comparisons: int) -> float:
        """How many of so many comparisons reach the score by chance, some with relatives; never rises."""
        ...
