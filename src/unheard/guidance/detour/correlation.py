"""How much a prediction's latents correlate with those of recordings, at the best time shift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

COMMON_RANK = 8
"""How many recordings may resemble a prediction more than is common: the next one tells what is common."""
COMMON_AT_MOST = 0.3
"""What is common at most: many takes or duplicates of a recording are no excuse for copying it."""


class Recordings:
    """Latents of recordings, ready to be correlated with predictions.

    Recordings of about the same length are transformed together, so that an hour among them does not lengthen
    the others.

    Args:
        latents: [features, frames] each; lengths may differ.
        frames: of the predictions.
    """

    def __init__(self, latents: Sequence[Tensor], frames: int) -> None:
        self._frames = frames
        self._count = 0
        self._alike: dict[int, _Alike] = {}
        self.append(latents)

    def append(self, latents: Sequence[Tensor]) -> None:
        """Further recordings, at the end."""
        by_size: dict[int, list[int]] = {}
        for number, each in enumerate(latents):
            by_size.setdefault(_transformed(self._frames + each.shape[-1]), []).append(number)
        for size, numbers in by_size.items():
            some = _alike([latents[number] for number in numbers], self._frames, size)
            order = torch.tensor(numbers, device=some[0].device) + self._count
            known = self._alike.get(size)
            self._alike[size] = _Alike(order, *some) if known is None else known.followed(order, *some)
        self._count += len(latents)

    def correlations(self, denoised: Tensor) -> Tensor:
        """Correlations [..., recordings] of latents [..., features, frames] at the best time shift, -1 to 1.

        Every feature's mean over time is taken out. The prediction counts whole, and of a longer recording
        only the passage that it meets: one minute of an hour is copied as much as one of a minute. A quiet
        passage counts as no less than a mean one, since with near-silence all correlates by chance.
        """
        own = _centred(denoised)
        norm: Tensor = own.flatten(-2).norm(dim=-1, keepdim=True).clamp(min=1e-6)
        found = own.new_zeros(*own.shape[:-2], self._count)
        for size, alike in self._alike.items():
            spectrum = torch.fft.rfft(own, size).unsqueeze(-3)
            products: Tensor = torch.fft.irfft((spectrum * alike.spectra).sum(dim=-2), size)
            found[..., alike.order] = (products / alike.norms).amax(dim=-1) / norm
        return found


@dataclass(frozen=True)
class _Alike:
    """Recordings of about the same length.

    Attributes:
        order: their numbers among all.
        spectra: conjugate, [recordings, features, frequencies].
        norms: see `_norms`, [recordings, size].
    """

    order: Tensor
    spectra: Tensor
    norms: Tensor

    def followed(self, *others: Tensor) -> _Alike:
        """These and others behind them."""
        own = self.order, self.spectra, self.norms
        return _Alike(*(torch.cat(pair) for pair in zip(own, others, strict=True)))


def _alike(latents: Sequence[Tensor], frames: int, size: int) -> tuple[Tensor, Tensor]:
    """Spectra and norms of recordings, see `_Alike`; all at once, since each alone keeps a GPU waiting."""
    lengths = torch.tensor([each.shape[-1] for each in latents], device=latents[0].device)
    padded = pad_sequence([each.float().T for each in latents], batch_first=True).transpose(1, 2)
    within = torch.arange(padded.shape[-1], device=padded.device) < lengths[:, None]
    mean = padded.sum(dim=-1) / lengths[:, None]
    centred = (padded - mean[..., None]) * within[:, None]
    return torch.fft.rfft(centred, size).conj(), _norms(centred, lengths, frames, size)


def _transformed(length: int) -> int:
    """The least of 2^n and 3 * 2^n that holds a length: what is transformed fast, in few sizes."""
    power: int = 1 << max(length - 1, 1).bit_length()
    return power // 4 * 3 if length <= power // 4 * 3 else power


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


def _norms(recordings: Tensor, lengths: Tensor, frames: int, size: int) -> Tensor:
    """Norms of the passages of recordings that a prediction meets, by shift, [recordings, size].

    At place `t` the prediction begins `t` frames before the recording; places from the end count backwards.

    Args:
        recordings: [recordings, features, frames], zero beyond their `lengths`.
    """
    energy = torch.nn.functional.pad(recordings.square().sum(dim=1).cumsum(dim=1), (1, 0))
    shift = torch.arange(size, device=recordings.device)
    shift = torch.where(shift < frames, shift, shift - size)
    ends = lengths[:, None]
    first, last = (place.clamp(min=0).minimum(ends) for place in (-shift, frames - shift))
    least = energy[:, -1:] * ends.clamp(max=frames) / ends
    passages = energy.gather(1, last) - energy.gather(1, first)
    return passages.maximum(least).sqrt().clamp(min=1e-6)
