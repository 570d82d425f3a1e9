"""Copies that were shifted, cut, transposed, stretched, equalised or compressed: frames aligned."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from torch import Tensor

from unheard.auditing import calibration
from unheard.auditing.alignment import align, coverage
from unheard.auditing.evidence.base import Finding
from unheard.auditing.features import PER_SEMITONE, Signal


class AlteredCopies:
    """The best path through the similarity of frames with frames, see `unheard.auditing.alignment`.

    Args:
        bounds: the calibration; the package's own if left out.
    """

    name: ClassVar[str] = "altered copies"

    def __init__(self, bounds: calibration.Calibration | None = None) -> None:
        self._bounds = bounds or calibration.default()

    @property
    def calibration(self) -> dict[str, Any]:
        """What the tails were measured on, and how."""
        return {"name": self._bounds.name, **self._bounds.made_by}

    def features(self, signal: Signal) -> Tensor:
        """[frames, VIEWS, BANDS]."""
        return signal.features

    def compare(self, piece: Tensor, part: Tensor) -> Finding | None:
        """The best path; None if nothing is alike."""
        path = align(piece, part)
        if path is None:
            return None
        return Finding(
            score=self._bounds.score(path.strength, path.room),
            start=path.start,
            end=path.end,
            reference_start=path.other_start,
            reference_end=path.other_end,
            covers=partial(coverage, piece, part, path),
            stretch=path.stretch,
            transposition=path.transposition / PER_SEMITONE,
        )

    def false_alarm_rate(self, score: float) -> float:
        """See `Calibration.false_alarm_rate`."""
        return self._bounds.false_alarm_rate(score)

    def expected_false_alarms(self, score: float, comparisons: int) -> float:
        """See `Calibration.expected_false_alarms`."""
        return self._bounds.expected_false_alarms(score, comparisons)
