"""Copies that a model has made anew: the same events at the same times, in another fine structure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from unheard.auditing import envelopes
from unheard.auditing.evidence.base import Finding
from unheard.auditing.evidence.calibrated import Calibrated
from unheard.auditing.features import Signal


class RegeneratedCopies(Calibrated):
    """Coarse envelopes that agree, see `unheard.auditing.envelopes`."""

    name: ClassVar[str] = "regenerated copies"

    def features(self, signal: Signal) -> Tensor:
        """Decibels [frames, BANDS]."""
        return signal.once(envelopes.of_signal)

    def compare(self, piece: Tensor, part: Tensor, found: Mapping[str, Finding]) -> Finding | None:
        """The strongest likeness; None if nothing is alike."""
        likeness = envelopes.compare(piece.numpy(), part.numpy())
        if likeness is None:
            return None
        return Finding.at_lag(likeness.strength, len(piece), likeness.start, likeness.end, likeness.lag)
