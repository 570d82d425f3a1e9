"""Copies under other music, behind a telephone, in a room: landmarks that are still there."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from torch import Tensor

from unheard.auditing import landmarks
from unheard.auditing.evidence.base import Finding
from unheard.auditing.evidence.calibrated import Calibrated
from unheard.auditing.features import Signal
from unheard.auditing.landmarks import PER_FRAME, Landmarks


class LayeredCopies(Calibrated):
    """Peaks of the spectrogram that agree, see `unheard.auditing.landmarks`."""

    name: ClassVar[str] = "layered copies"

    def features(self, signal: Signal) -> Tensor:
        """Where the peaks are, truth values [frames, PER_FRAME, BINS]."""
        return signal.once(landmarks.peaks_of_signal)

    def compare(self, piece: Tensor, part: Tensor, found: Mapping[str, Finding]) -> Finding | None:
        """The lag with the most landmarks in common; None if there is none."""
        return self.compare_landmarks(landmarks.landmarks(piece), landmarks.landmarks(part))

    def compare_landmarks(self, piece: Landmarks, part: Landmarks) -> Finding | None:
        """As `compare`, of landmarks that are worked out already."""
        votes = landmarks.compare(piece, part)
        if votes is None:
            return None
        frames, others = piece.length // PER_FRAME, part.length // PER_FRAME
        start, end, lag = votes.passage
        return Finding(
            score=votes.strength,
            start=start,
            end=end,
            reference_start=max(0, start + lag),
            reference_end=min(others, end + lag),
            covers=partial(landmarks.covered, votes, frames),
        )
