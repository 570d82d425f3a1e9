"""Which sounds hold a passage of the very same recording, whatever it was encoded by or cut to.

Log-mel spectrograms propose where a passage might lie in another sound, and the waveforms decide: recordings
of one instrument look alike, but only the same recording has the same waveform. So no hard negative is taken
for a duplicate, and no measure that the audit uses says what a duplicate is.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import fftconvolve

from lab import likeness
from lab.alterations import at_rate

RATE = 8_000
"""Of the waveforms compared; what lossy codecs keep lies below half of it."""
PASSAGE = 4.0
PROPOSED, SAME = 0.75, 0.7
BANDS, FRAMES = 4, 4
"""Bands and frames of `likeness.log_mel` that are averaged into one."""
PERIOD = FRAMES * likeness.HOP / likeness.SAMPLE_RATE
LONGEST = 60.0
SLACK = round(2 * PERIOD * RATE)
QUIET = 1e-4
"""Power of a passage, over that of the loudest one of its sound, below which it is passed over: 40 dB."""


def shared_passages(sounds: list[np.ndarray], rate: int) -> set[tuple[int, int]]:
    """Pairs (first < second) of sounds `[time]`, each of up to `LONGEST` seconds, that share a passage.

    Passages of `PASSAGE` seconds, or the whole of a shorter sound, are sought in every other sound. Same
    means a correlation of waveforms of `SAME` and more, of either sign.
    """
    waveforms = [at_rate(some, rate, RATE) for some in sounds]
    spectrograms = [_log_mel(at_rate(some, rate, likeness.SAMPLE_RATE)) for some in sounds]
    found = set()
    for one, start, length, others in _proposals(spectrograms):
        begin = round(start * PERIOD * RATE)
        passage = waveforms[one][begin : begin + round(length * PERIOD * RATE)]
        for other, at in others:
            pair = (min(one, other), max(one, other))
            if pair in found:
                continue
            place = round(at * PERIOD * RATE)
            around = waveforms[other][max(0, place - SLACK) : place + len(passage) + SLACK]
            if len(around) >= len(passage) and correlation(passage, around) >= SAME:
                found.add(pair)
    return found


def correlation(passage: np.ndarray, around: np.ndarray) -> float:
    """The highest normalised correlation, of either sign, of a passage with one as long within `around`."""
    cross = fftconvolve(around, passage[::-1], mode="valid")
    energy = fftconvolve(around**2, np.ones(len(passage), np.float32), mode="valid")
    norm = np.sqrt(np.maximum(energy, 1e-6 * len(passage)) * np.sum(passage**2))
    return float(np.abs(cross / np.maximum(norm, 1e-9)).max())


def highest_correlation(one: np.ndarray, other: np.ndarray, seconds: float) -> float:
    """That of any passage of so many seconds of one sound with one of the other, of either sign, 0 to 1.

    Nothing proposes where: passages begin every half of their length in the shorter sound, which has fewer,
    and everywhere in the longer one; of two as long as each other, the first counts as the shorter. Quiet
    ones are left out (`QUIET`).

    Args:
        one, other: waveforms [time] at `RATE`.
        seconds: of the passages; where either sound is shorter, nothing is shared.
    """
    length = round(seconds * RATE)
    shorter, longer = sorted((one, other), key=len)
    if len(shorter) < length:
        return 0.0
    starts = np.arange(0, len(shorter) - length + 1, length // 2)
    passages = np.stack([shorter[start : start + length] for start in starts]).astype(np.float32)
    powers = np.square(passages).sum(axis=1)
    heard = powers > max(QUIET * float(powers.max()), 1e-9)
    passages, powers = passages[heard], powers[heard]
    if not len(passages):
        return 0.0
    sums = np.concatenate([[0.0], np.square(longer.astype(np.float64)).cumsum()])
    energy = sums[length:] - sums[:-length]
    norm = np.sqrt(np.maximum(energy, max(QUIET * float(energy.max()), 1e-9))).astype(np.float32)
    size = next_fast_len(len(longer), real=True)  # what wraps around lies beyond the last place
    spectra = rfft(passages, size).conj() * rfft(longer.astype(np.float32), size)
    cross = irfft(spectra, size)[:, : len(norm)]
    return float((np.abs(cross) / norm / np.sqrt(powers)[:, None]).max())


def joined(pieces: dict[str, str], one: str, other: str) -> dict[str, str]:
    """Which piece each belongs to, where two of them and all that belonged to either are one now."""
    kept, lost = pieces[one], pieces[other]
    return {piece: kept if belongs_to == lost else belongs_to for piece, belongs_to in pieces.items()}


def _log_mel(sound: np.ndarray) -> torch.Tensor:
    """[bands, frames]"""
    whole = likeness.log_mel(torch.from_numpy(sound)[None], range_db=60.0)
    return torch.nn.functional.avg_pool2d(whole, (BANDS, FRAMES))[0]


def _proposals(
    spectrograms: list[torch.Tensor],
) -> Iterator[tuple[int, int, int, list[tuple[int, int]]]]:
    """A sound, first frame and length of a passage of it, and where in which other sounds it might lie."""
    size = 2 ** int(np.ceil(np.log2((LONGEST + PASSAGE) / PERIOD)))
    padded = torch.stack([torch.nn.functional.pad(some, (0, size - some.shape[1])) for some in spectrograms])
    frames = torch.tensor([some.shape[1] for some in spectrograms])
    spectra = torch.fft.rfft(padded).permute(2, 1, 0).contiguous()  # [frequency, bands, sounds]
    norms: dict[int, torch.Tensor] = {}  # by length; most passages are as long as one another
    for one, own in enumerate(spectrograms):
        length = min(own.shape[1], round(PASSAGE / PERIOD))
        starts = range(0, own.shape[1] - length + 1, length)
        passages = torch.stack([own[:, start : start + length] for start in starts])
        passages = passages - passages.mean(2, keepdim=True)
        against = torch.fft.rfft(passages, size).conj().permute(2, 0, 1)
        cross = torch.fft.irfft(torch.bmm(against, spectra), size, dim=0)  # [frames, passages, sounds]
        if length not in norms:
            norms[length] = _norms(padded, length)
        norm, own_norms = norms[length], passages.flatten(1).norm(dim=1).clamp(min=1e-3)
        alike = cross[: norm.shape[1]].permute(1, 2, 0) / norm / own_norms[:, None, None]
        beyond = torch.arange(norm.shape[1]) + length > frames[:, None]
        best, places = alike.masked_fill(beyond, -1.0).max(2)
        best[:, one] = -1.0
        for number, start in enumerate(starts):
            others = torch.nonzero(best[number] >= PROPOSED).flatten().tolist()
            if others:
                yield one, start, length, [(other, int(places[number, other])) for other in others]


def _norms(padded: torch.Tensor, length: int) -> torch.Tensor:
    """Norm of each passage of `length` frames without the bands' means, `[sounds, first frames]`."""
    sums = torch.nn.functional.pad(padded, (1, 0)).cumsum(2)
    squares = torch.nn.functional.pad(padded.square(), (1, 0)).cumsum(2)
    within = sums[:, :, length:] - sums[:, :, :-length]
    energy = (squares[:, :, length:] - squares[:, :, :-length] - within.square() / length).sum(1)
    return energy.clamp(min=1e-3 * length).sqrt()
