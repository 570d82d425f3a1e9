"""A sound as decibels in bands that are evenly spaced in octaves."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from unheard import audio

COLUMNS = 900
"""Columns along time at most; what is longer is drawn coarser."""

BANDS = 128
LOWEST, HIGHEST = 50.0, 16_000.0
"""Band edges in hertz; a sound that reaches less far is drawn up to half its sample rate."""

RANGE_DB = 70.0
"""Decibels below the loudest point down to which is drawn."""


def top_frequency(sample_rate: int) -> float:
    """The upper edge of a spectrogram, in hertz."""
    return min(HIGHEST, sample_rate / 2)


def brightness(waveform: Tensor, sample_rate: int, *, columns: int = COLUMNS) -> np.ndarray:
    """A waveform [channels, time] as brightness [BANDS, time], 0 to 1, low notes first.

    1 is the loudest point, 0 is `RANGE_DB` below it. A column stands for the same stretch of time
    everywhere, the last one may reach beyond the end. There are `columns` at most.
    """
    mono = audio.to_mono(waveform.float())
    window = 1 << round(np.log2(0.046 * sample_rate))
    hop = max(window // 8, -(-len(mono) // columns))
    mono = F.pad(mono, (0, window))  # at least one frame, however short the sound
    power = (
        torch.stft(
            mono, window, hop, window=torch.hann_window(window), pad_mode="constant", return_complex=True
        )
        .abs()
        .square()[:, : -(-(len(mono) - window) // hop)]
    )

    edges = np.geomspace(LOWEST, top_frequency(sample_rate), BANDS + 1) / sample_rate * window
    below = np.concatenate([np.zeros((1, power.shape[1])), np.cumsum(power.double().numpy(), axis=0)])
    whole = np.minimum(edges.astype(int), len(below) - 2)
    at_edges = below[whole] + (edges - whole)[:, None] * (below[whole + 1] - below[whole])
    bands = np.diff(at_edges, axis=0) / np.diff(edges)[:, None]
    decibels = 10 * np.log10(np.maximum(bands, 1e-12))
    shown: np.ndarray = np.clip(1 + (decibels - decibels.max()) / RANGE_DB, 0, 1)
    return shown
