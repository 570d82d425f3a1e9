"""The same rhythm on other drums or another instrument, somewhat faster or slower.

Onset strength over time: by how many decibels each band rises (spectral flux; Bello and others 2005, "A
tutorial on onset detection in music signals"). Each band counts by its own deviation, so that the balance of
a kit matters less, and all make one curve. Its square root is compared, since an accent on one kit need not
be one on another, and it is blurred, since other instruments speak sooner or later.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from unheard.auditing import envelopes
from unheard.auditing.features import Signal
from unheard.auditing.likeness.agreement import agreement
from unheard.auditing.likeness.null_distributions import Calibrated

RANGE = 50.0
"""Decibels below the loudest band of the sound in which a rise counts."""
MOMENT = 2
"""Frames before, that a frame is compared with: 50 ms."""
FAINT = 0.02
"""Deviation of a band, as a share of `RANGE`, that counts half."""
BLUR = 2.0
"""Deviation of the blur in frames: 50 ms."""


class Rhythm(Calibrated):
    """Onset strengths over time that agree."""

    name: ClassVar[str] = "rhythm"

    def features(self, signal: Signal) -> Tensor:
        """Onset strength [frames, 1], 0 or more, around 1 where much begins."""
        if not len(signal.features):
            return torch.zeros(0, 1)
        decibels = signal.once(envelopes.of_signal).numpy()
        level = np.clip(decibels - decibels.max() + RANGE, 0, None) / RANGE
        before = np.pad(level, ((MOMENT, 0), (0, 0)), mode="edge")[: len(level)]
        rise = np.clip(level - before, 0, None)
        onsets = np.sqrt((rise / (rise.std(axis=0) + FAINT)).mean(axis=1, keepdims=True))
        reach = round(4 * BLUR)
        kernel = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / BLUR)).astype(np.float32)
        beyond = np.pad(onsets[:, 0], reach, mode="symmetric")
        return torch.from_numpy(np.convolve(beyond, kernel / kernel.sum(), mode="valid"))[:, None]

    def compare(self, piece: Tensor, part: Tensor) -> float:
        """How strongly the onsets agree at the best lag and tempo."""
        return agreement(piece.numpy(), part.numpy())
