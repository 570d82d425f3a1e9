"""From sounds to magnitudes and mel spectrograms, and back by one of two ways to find a phase."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from transformers.audio_utils import mel_filter_bank

from lab.alterations import SAMPLE_RATE

FLOOR = 1e-5


def magnitude(sound: np.ndarray, size: int, hop: int) -> torch.Tensor:
    """`[time]` to `[bins, frames]`, the first frame centred at the first sample."""
    window = torch.hann_window(size)
    padded = torch.nn.functional.pad(torch.from_numpy(sound), (0, size))
    return torch.stft(padded, size, hop, window=window, return_complex=True, pad_mode="constant").abs()


def to_mel(magnitudes: torch.Tensor, bands: int) -> torch.Tensor:
    """`[bins, frames]` to `[bands, frames]`."""
    return filters(magnitudes.shape[0], bands).T @ magnitudes


def from_mel(mel: torch.Tensor, bins: int) -> torch.Tensor:
    """The magnitudes of least norm magnitudes , by the pseudo-inverse, none below 0."""
    return (torch.linalg.pinv(filters(bins, len(mel)).T) @ mel).clamp(min=0)


@lru_cache(maxsize=8)
def filters(bins: int, bands: int) -> torch.Tensor:
    """`[bins, bands]`, 30 Hz to 16 kHz."""
    bank = mel_filter_bank(bins, bands, 30.0, 16_000.0, SAMPLE_RATE, norm="slaney", mel_scale="slaney")
    return torch.tensor(bank, dtype=torch.float32)


def griffin_lim(magnitudes: torch.Tensor, hop: int, length: int, rng: np.random.Generator) -> np.ndarray:
    """A sound of such magnitudes; 32 rounds from a random phase (Griffin and Lim 1984), momentum .9."""
    size = 2 * (magnitudes.shape[0] - 1)
    window = torch.hann_window(size)
    phases = torch.from_numpy(np.exp(2j * np.pi * rng.random(magnitudes.shape)).astype(np.complex64))
    before = torch.zeros_like(phases)
    for _ in range(32):
        sound = torch.istft(magnitudes * phases, size, hop, window=window)
        found = torch.stft(sound, size, hop, window=window, return_complex=True)
        ahead = found + 0.9 * (found - before)
        phases, before = ahead / ahead.abs().clamp(min=1e-9), found
    return torch.istft(magnitudes * phases, size, hop, window=window)[:length].numpy()


def single_pass(magnitudes: torch.Tensor, hop: int, length: int) -> np.ndarray:
    """A sound of such magnitudes, each peak's phase led on by its frequency (Beauregard and others 2015)."""
    values = magnitudes.numpy()
    bins, frames = values.shape
    size = 2 * (bins - 1)
    phases, running = np.zeros((bins, frames), np.float32), np.zeros(bins)
    for frame in range(frames):
        here = values[:, frame]
        peaks = np.flatnonzero((here[1:-1] > here[:-2]) & (here[1:-1] >= here[2:])) + 1
        if len(peaks):
            left, middle, right = here[peaks - 1], here[peaks], here[peaks + 1]
            offset = 0.5 * (left - right) / np.minimum(left - 2 * middle + right, -1e-12)
            led = running[peaks] + 2 * np.pi * hop * (peaks + offset) / size
            nearest = np.searchsorted((peaks[1:] + peaks[:-1]) / 2, np.arange(bins))
            # neighbours of a peak turn with it; a window centred at its start swaps their sign, bin by bin
            running = led[nearest] + np.pi * ((np.arange(bins) - peaks[nearest]) % 2)
        phases[:, frame] = running
    spectrum = torch.polar(magnitudes, torch.from_numpy(phases))
    return torch.istft(spectrum, size, hop, window=torch.hann_window(size))[:length].numpy()
