"""The same rhythm on other drums or another instrument, somewhat faster or slower.

Onset strength over time: by how many decibels each band rises, in a curve for all bands, whatever they are
(spectral flux; Bello and others 2005, "A tutorial on onset detection in music signals"). Its square root is
compared, so that an accent on one kit need not be one on another.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from unheard.auditing import envelopes
from unheard.auditing.features import PERIOD, Signal
from unheard.auditing.likeness.agreement import agreement
from unheard.auditing.likeness.null_distributions import Calibrated

RANGE = 40.0
"""Decibels below the loudest band of the sound in which a rise counts."""
MOMENT = 2
"""Frames before, that a frame is compared with: 50 ms."""


class Rhythm(Calibrated):
    """Onset strengths over time that agree."""

    name: ClassVar[str] = "rhythm"

    def features(self, signal: Signal) -> Tensor:
        """Onset strength [frames, 1], 0 to 1."""
        decibels = envelopes.envelopes(signal.mono)
        if not len(decibels):
            return torch.zeros(len(signal.features), 1)
        level = (decibels - decibels.max() + RANGE).clamp(min=0) / RANGE
        before = F.pad(level.T, (MOMENT, 0), mode="replicate").T[: len(level)]
        return (level - before).clamp(min=0).mean(dim=1, keepdim=True).sqrt()

    def compare(self, piece: Tensor, part: Tensor) -> float:
        """How strongly the onsets agree at the best lag and tempo."""
        return agreement(piece.numpy(), part.numpy(), 1 / PERIOD, circle=False)
