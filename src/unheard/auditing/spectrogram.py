"""Spectrograms of sounds of any length, some columns at a time: memory grows with what is kept of them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

COLUMNS = 1 << 13
"""Columns that are transformed at once: more than a sound of a minute and a half has."""


def spectrogram(mono: Tensor, fft: int, hop: int, reduced: Callable[[Tensor], Tensor]) -> Tensor:
    """Sound [time] to what is kept of its magnitudes.

    Column i is centred at sample i * hop, seen through a Hann window of `fft` samples; around the sound is
    silence.

    Args:
        mono: the sound.
        fft, hop: samples.
        reduced: of magnitudes [fft // 2 + 1, columns], as they are wanted [bands, columns].

    Returns:
        [bands, time // hop + 1].
    """
    window = torch.hann_window(fft)
    padded = F.pad(mono, (fft // 2, fft // 2))
    columns = len(mono) // hop + 1
    kept = torch.empty(0, columns)
    for first in range(0, columns, COLUMNS):
        beyond = min(first + COLUMNS, columns)
        samples = padded[first * hop : (beyond - 1) * hop + fft]
        spectrum = torch.stft(samples, fft, hop, window=window, center=False, return_complex=True)
        some = reduced(spectrum.abs())
        if not len(kept):
            kept = some.new_empty(len(some), columns)
        kept[:, first:beyond] = some
    return kept
