"""What a kind of likeness is: it says whether a piece of a sound shares something with a part of another."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from torch import Tensor

from unheard.auditing.features import PERIOD, Signal

UNUSUAL = 0.01
"""False-alarm rate of a comparison below which two sounds are alike."""
USUAL = 10.0
"""Seconds of the sounds that rates are of."""


class Likeness(Protocol):
    """Something that sounds may share without being copies, with the null distribution of its scores.

    Attributes:
        name: the word for what is alike, such as "tune"; results say "the same tune".
    """

    name: ClassVar[str]

    @property
    def calibration(self) -> dict[str, Any]:
        """Where its rates come from: the command, the date, the material."""
        ...

    def features(self, signal: Signal) -> Tensor:
        """What it needs of a sound [frames, ...], as many frames as `Signal.features` has."""
        ...

    def compare(self, piece: Tensor, part: Tensor) -> float:
        """How much is alike in features of a piece and of a part [frames, ...]: 0 or more, higher is more."""
        ...

    def false_alarm_rate(self, score: float) -> float:
        """Share of comparisons of relatives of `USUAL` seconds that reach this score, 0 to 1; never rises."""
        ...


def unusual(kind: Likeness, piece: Tensor, part: Tensor) -> bool:
    """Whether a kind finds a piece and a part alike, from its features of both [frames, ...].

    In longer sounds chance has more to choose from: as many comparisons as they hold of `USUAL` seconds, by
    Bonferroni's inequality.
    """
    comparisons = max(1.0, len(piece) * PERIOD / USUAL) * max(1.0, len(part) * PERIOD / USUAL)
    return comparisons * kind.false_alarm_rate(kind.compare(piece, part)) < UNUSUAL
