"""Copies that a model has made anew: the same events at the same times, in another fine structure."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from torch import Tensor

from unheard.auditing import envelopes
from unheard.auditing.evidence.base import Finding, passage
from unheard.auditing.evidence.calibrated import Calibrated
from unheard.auditing.features import Signal


class RegeneratedCopies(Calibrated):
    """Coarse envelopes that agree, see `unheard.auditing.envelopes`."""

    name: ClassVar[str] = "regenerated copies"

    def features(self, signal: Signal) -> Tensor:
        """Decibels [frames, BANDS]."""
        return envelopes.envelopes(signal.mono)

    def compare(self, piece: Tensor, part: Tensor) -> Finding | None:
        """The strongest likeness; None if nothing is alike."""
        found = envelopes.compare(piece.numpy(), part.numpy())
        if found is None:
            return None
        return Finding(
            score=found.strength,
            start=found.start,
            end=found.end,
            reference_start=found.start + found.lag,
            reference_end=found.end + found.lag,
            covers=partial(passage, len(piece), found.start, found.end),
        )
