"""Copies that were shifted, cut, transposed, stretched, equalised or compressed: frames aligned."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from torch import Tensor

from unheard.auditing.alignment import Alignment, align, coverage
from unheard.auditing.evidence.base import Finding
from unheard.auditing.evidence.calibrated import Calibrated
from unheard.auditing.features import PER_SEMITONE, Signal


class AlteredCopies(Calibrated):
    """The best path through the similarity of frames with frames, see `unheard.auditing.alignment`."""

    name: ClassVar[str] = "altered copies"

    def features(self, signal: Signal) -> Tensor:
        """[frames, VIEWS, BANDS]."""
        return signal.features

    def compare(self, piece: Tensor, part: Tensor, found: Mapping[str, Finding]) -> Finding | None:
        """The best path; None if nothing is alike."""
        path = align(piece, part)
        return None if path is None else self.finding(path, piece, part)

    def finding(self, path: Alignment, piece: Tensor, part: Tensor) -> Finding:
        """What the best path through features of a piece and of a part [frames, VIEWS, BANDS] says."""
        return Finding(
            score=self.bounds.alignment_score(path.strength, path.room),
            start=path.start,
            end=path.end,
            reference_start=path.other_start,
            reference_end=path.other_end,
            covers=partial(coverage, piece, part, path),
            stretch=path.stretch,
            transposition=path.transposition / PER_SEMITONE,
        )
