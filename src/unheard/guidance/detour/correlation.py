"""How much a prediction's latents correlate with those of recordings, at the best time shift."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

COMMON_RANK = 8
"""How many recordings may resemble a prediction more than is common: the next one tells what is common."""
COMMON_AT_MOST = 0.3
"""What is common at most: many takes or duplicates of a recording are no excuse for copying it."""


class Recordings:
    """Latents of recordings, ready to be correlated with predictions.

    Args:
        latents: one or more [features, frames]; lengths may differ.
        frames: of the predictions.
    """

    def __init__(self, latents: Sequence[Tensor], frames: int) -> None:
        centred = [_centred(each) for each in latents]
        self._size = frames + max((each.shape[-1] for each in centred), default=0)
        norms = [_norms(each, frames, self._size) for each in centred]
        self._norms = torch.stack(norms) if centred else torch.empty(0)
        spectra = [torch.fft.rfft(each, self._size).conj() for each in centred]
        self._spectra = torch.stack(spectra) if spectra else torch.empty(0)

    def correlations(self, denoised: Tensor) -> Tensor:
        """Correlations [recordings] of latents [features, frames] at the best time shift, -1 to 1.

        Every feature's mean over time is taken out. The prediction counts whole, and of a longer recording
        only the passage that it meets: one minute of an hour is copied as much as one of a minute. A quiet
        passage counts as no less than a mean one, since with near-silence all correlates by chance.
        """
        own = _centred(denoised)
        spectrum = torch.fft.rfft(own, self._size)
        products: Tensor = torch.fft.irfft((spectrum * self._spectra).sum(dim=1), self._size)
        norm: Tensor = own.norm().clamp(min=1e-6)
        return (products / self._norms).amax(dim=-1) / norm


def common(correlations: Tensor, share: float) -> Tensor:
    """What each row of correlations [rows, recordings] has in common with many recordings: [rows], 0 to .3.

    The correlation after the `COMMON_RANK` highest; of a random share of the recordings, after that share of
    the rank. 0 where they are fewer.
    """
    rank = max(1, round(COMMON_RANK * share))
    if correlations.shape[1] <= rank:
        return correlations.new_zeros(len(correlations))
    return correlations.topk(rank + 1, dim=1).values[:, -1].clamp(0, COMMON_AT_MOST)


def _centred(latents: Tensor) -> Tensor:
    latents = latents.float()
    return latents - latents.mean(dim=-1, keepdim=True)


def _norms(recording: Tensor, frames: int, size: int) -> Tensor:
    """Norms [size] of the passages of a recording [features, its frames] that a prediction meets, by shift.

    At place `t` the prediction begins `t` frames before the recording; places from the end count backwards.
    """
    length = recording.shape[-1]
    energy = torch.nn.functional.pad(recording.square().sum(dim=0).cumsum(dim=0), (1, 0))
    shift = torch.arange(size, device=recording.device)
    shift = torch.where(shift < frames, shift, shift - size)
    first, last = (-shift).clamp(0, length), (frames - shift).clamp(0, length)
    least = energy[-1] * min(frames, length) / length
    return (energy[last] - energy[first]).clamp(min=least).sqrt().clamp(min=1e-6)
