"""The same tune on another instrument, in another key or register, somewhat faster or slower.

Pitch classes over time (Fujishima 1999; Müller, Fundamentals of Music Processing, 2015, ch. 3): octaves are
folded, so that registers and the harmonics that make a timbre matter less; the twelve form a circle, so that
a transposition is a rotation. Each frame counts alike whatever its loudness, and what does not last is taken
out by a median along time (Fitzgerald 2010), as strokes are.
"""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from unheard.auditing.features import BANDS, PER_SEMITONE, Signal
from unheard.auditing.likeness.agreement import agreement
from unheard.auditing.likeness.null_distributions import Calibrated
from unheard.auditing.spectrogram import COLUMNS

CLASSES = 12
LASTING = 7
"""Frames of the median: 175 ms."""
CENTRE, SPREAD = 2.3, 1.3
"""Octaves above the lowest band where bands count most, and the deviation of the bell around it."""
FAINT = 0.3
"""Norm of a frame that counts half."""


class Tune(Calibrated):
    """Pitch classes over time that agree."""

    name: ClassVar[str] = "tune"

    def features(self, signal: Signal) -> Tensor:
        """Pitch classes [frames, CLASSES], of norm 0 to 1 a frame."""
        contrast = signal.features[:, 0].clamp(min=0).numpy()
        if not len(contrast):
            return torch.zeros(0, CLASSES)
        beyond = np.pad(contrast, ((LASTING // 2, (LASTING - 1) // 2), (0, 0)), mode="symmetric")
        around = np.lib.stride_tricks.sliding_window_view(beyond, LASTING, axis=0)
        blocks = [around[first : first + COLUMNS] for first in range(0, len(around), COLUMNS)]
        lasting = np.concatenate([np.median(block, axis=-1) for block in blocks])
        folded = torch.from_numpy(lasting) @ folding()
        even: Tensor = folded / (folded.norm(dim=1, keepdim=True) + FAINT)
        return even

    def compare(self, piece: Tensor, part: Tensor) -> float:
        """How strongly the pitch classes agree at the best lag, tempo and transposition."""
        return agreement(piece.numpy(), part.numpy(), circle=True)


@lru_cache(maxsize=1)
def folding() -> Tensor:
    """Bands to pitch classes [BANDS, CLASSES]; the first class is that of the lowest band."""
    bands = torch.arange(BANDS)
    octaves = bands / (12 * PER_SEMITONE)
    weights = torch.zeros(BANDS, CLASSES)
    weights[bands, bands // PER_SEMITONE % CLASSES] = torch.exp(-0.5 * ((octaves - CENTRE) / SPREAD) ** 2)
    return weights
