"""Whether the same happens at the same time in two sounds, whatever their fine structure: coarse envelopes.

A model that replays a recording gives back its events, each at its time and in its part of the spectrum, but
with other microstructure, on which an alignment of fine features is lost. So the level in `BANDS` mel bands
is compared. Any two sounds that begin loud and fade are alike in that; so over what is compared, both the
mean of each band and the mean of each frame are taken out, and what is left is asked how much it can say: a
correlation is read against what it would scatter by (Fisher 1921, "On the probable error of a coefficient of
correlation deduced from a small sample"), for the number of independent moments it was taken of (Bartlett
1935, "Some aspects of the time-correlation problem"), and among sounds of one kind, which are never quite
independent. One stroke is like another of its instrument, however exact the likeness.

A replay begins where its recording begins, and is neither transposed nor stretched. So there it is looked for
first; elsewhere chance has the choice of the place, and evidence counts less.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from unheard.auditing.alignment import best_run, best_sums
from unheard.auditing.features import HOP, SAMPLE_RATE, Signal
from unheard.auditing.spectrogram import spectrogram

FFT = 1024
BANDS = 40
LOWEST, HIGHEST = 40.0, 7_600.0
"""Hertz."""
RANGES = (25.0, 50.0)
"""Decibels below the loudest band of a passage: the first outlasts noise, the second has decays."""
REACH = 4
"""Frames by which the beginnings may be off: 0.1 s."""
LEAST = 12
"""Frames of the shortest passage: 0.3 s."""
BAR = 0.35
"""Correlation above which a passage elsewhere counts."""
WHILE = 80
"""Frames before and after, over which a band's mean is taken in the search: 2 s."""
DIAGONALS = 3
"""Places elsewhere that are looked at closely."""
CHOICE = 1.0
"""By how many deviations chance does better away from the beginning, where it may choose the place."""
HIGHEST_CORRELATION = 0.97
"""A higher one says no more: a resynthesis hardly reaches it, and single strokes do."""
FREEDOM = 0.35
"""Degrees of freedom that each moment after the first gives: as few tell copies from relatives best."""
KINSHIP = 0.1
"""Deviation of the correlations, by Fisher's transform, of long sounds of one kind that are no copies."""


@dataclass(frozen=True)
class Likeness:
    """What two passages have in common.

    Attributes:
        strength: the evidence, 0 or more.
        correlation: of their envelopes, both kinds of means taken out, -1 to 1; the mean over `RANGES`.
        start, end: frames of the passage in the first sound; `end` is exclusive.
        lag: frames by which it lies later in the second sound.
    """

    strength: float
    correlation: float
    start: int
    end: int
    lag: int


def envelopes(mono: Tensor) -> Tensor:
    """Sound [time] at `SAMPLE_RATE` to decibels [frames, BANDS], a frame every `HOP` samples."""
    if len(mono) < FFT:
        return torch.zeros(0, BANDS)
    power = spectrogram(mono, FFT, HOP, lambda magnitudes: mel_bank() @ magnitudes.square())
    return (10 * torch.log10(power.clamp(min=1e-12))).T.contiguous()


def of_signal(signal: Signal) -> Tensor:
    """As `envelopes`; `Signal.once` asks it once for all that need them."""
    return envelopes(signal.mono)


@lru_cache(maxsize=1)
def mel_bank() -> Tensor:
    """Triangles [BANDS, FFT // 2 + 1] of unit sum, evenly spaced in mel."""
    ends = [2595 * math.log10(1 + hertz / 700) for hertz in (LOWEST, HIGHEST)]
    edges = 700 * (10 ** (torch.linspace(ends[0], ends[1], BANDS + 2) / 2595) - 1)
    bins = torch.arange(FFT // 2 + 1) * SAMPLE_RATE / FFT
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    bank = torch.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)).clamp(min=0)
    return bank / bank.sum(dim=1, keepdim=True).clamp(min=1e-6)


def compare(first: np.ndarray, second: np.ndarray) -> Likeness | None:
    """The strongest likeness of two sounds' envelopes, decibels [frames, BANDS]; None if nothing is alike."""
    passages = [*_from_the_beginning(first, second), *_elsewhere(first, second)]
    found = [
        replace(likeness, strength=likeness.strength - choice)
        for start, end, lag, choice in passages
        if (likeness := _measure(first, second, start, end, lag)) is not None and likeness.strength > choice
    ]
    return max(found, key=lambda likeness: likeness.strength, default=None)


def levels(decibels: np.ndarray, span: float) -> np.ndarray:
    """Decibels [frames, BANDS] to 0 to 1: from `span` below the loudest to the loudest."""
    lifted: np.ndarray = np.clip(decibels - decibels.max() + span, 0, None) / span
    return lifted


def centred(level: np.ndarray) -> np.ndarray:
    """[frames, BANDS] without the mean of each band and of each frame."""
    without: np.ndarray = level - level.mean(axis=0) - level.mean(axis=1, keepdims=True) + level.mean()
    return without


def cosine(first: np.ndarray, second: np.ndarray) -> float:
    """Of two fields of one shape, -1 to 1; of centred ones it is the correlation. 0 if one is all zeros."""
    power = math.sqrt(float(np.square(first).sum() * np.square(second).sum()))
    return float((first * second).sum()) / power if power > 0 else 0.0


def independent_moments(field: np.ndarray) -> float:
    """How many frames of a field [frames, bands] count, over how many one looks like its neighbours."""
    frames = len(field)
    energy = np.square(field).sum(axis=1)
    spectrum = np.square(np.abs(np.fft.rfft(field, 2 * frames, axis=0))).sum(axis=1)
    likeness = np.fft.irfft(spectrum, 2 * frames)[:frames]
    decorrelation = 1 + 2 * float(np.square(likeness[1:] / likeness[0]).sum())
    return float(energy.sum() ** 2 / np.square(energy).sum() / decorrelation)


def strength(correlation: float, moments: float) -> float:
    """By how many deviations a correlation over so many independent moments is above 0; 0 or more."""
    if moments <= 1:
        return 0.0
    transformed = math.atanh(min(max(correlation, 0.0), HIGHEST_CORRELATION))
    return transformed / math.sqrt(KINSHIP**2 + 1 / (FREEDOM * (moments - 1)))


def _measure(first: np.ndarray, second: np.ndarray, start: int, end: int, lag: int) -> Likeness | None:
    """Likeness of the passage [start, end) with the one `lag` frames later in the second sound."""
    ours, theirs = first[start:end], second[start + lag : end + lag]
    strengths, correlations = [], []
    for span in RANGES:
        x, y = centred(levels(ours, span)), centred(levels(theirs, span))
        correlation = cosine(x, y)
        correlations.append(correlation)
        if correlation <= 0:
            strengths.append(0.0)
            continue
        moments = math.sqrt(independent_moments(x) * independent_moments(y))
        strengths.append(strength(correlation, moments))
    if not any(strengths):
        return None
    return Likeness(float(np.mean(strengths)), float(np.mean(correlations)), start, end, lag)


def _from_the_beginning(first: np.ndarray, second: np.ndarray) -> Iterator[tuple[int, int, int, float]]:
    """All that both have in common if they begin together, silence apart: the lag of the best correlation."""
    if not (len(first) and len(second)):
        return
    ours, theirs = (levels(sound, RANGES[0]) for sound in (first, second))
    sounding = [np.flatnonzero(level.max(axis=1) > 0) for level in (ours, theirs)]
    best, found = 0.0, None
    begins = int(sounding[1][0] - sounding[0][0])
    for lag in range(begins - REACH, begins + REACH + 1):
        start = max(0, -lag, int(sounding[0][0]), int(sounding[1][0]) - lag)
        end = min(len(first), len(second) - lag, int(sounding[0][-1]) + 1, int(sounding[1][-1]) + 1 - lag)
        if end - start < LEAST:
            continue
        x, y = centred(ours[start:end]), centred(theirs[start + lag : end + lag])
        correlation = cosine(x, y)
        if correlation > best:
            best, found = correlation, (start, end, lag, 0.0)
    if found is not None:
        yield found


def _elsewhere(first: np.ndarray, second: np.ndarray) -> Iterator[tuple[int, int, int, float]]:
    """The best passages at any lag, by a local alignment without gaps, as `unheard.auditing.alignment`'s."""
    if min(len(first), len(second)) < LEAST:
        return
    x, y = (_local(levels(sound, RANGES[0])) for sound in (first, second))
    energies = np.square(x).sum(axis=1)[:, None] + np.square(y).sum(axis=1)
    similarity = (x @ y.T - BAR / 2 * energies).astype(np.float32)
    sums = best_sums(similarity)
    lags: list[int] = []
    for diagonal in np.argsort(-sums, kind="stable"):
        lag = int(diagonal) - (len(x) - 1)
        if sums[diagonal] <= 0 or len(lags) == DIAGONALS:
            break
        if all(abs(lag - other) > REACH for other in lags):
            lags.append(lag)
    for lag in lags:
        first_frame, beyond = max(0, -lag), min(len(x), len(y) - lag)
        frames = np.arange(first_frame, beyond)
        start, end = best_run(similarity[frames, frames + lag])
        if end - start >= LEAST:
            yield first_frame + start, first_frame + end, lag, CHOICE


def _local(level: np.ndarray) -> np.ndarray:
    """[frames, BANDS] without the mean of each frame, and of each band over some seconds."""
    without = level - level.mean(axis=1, keepdims=True)
    padded = F.pad(torch.from_numpy(without.T[None]), (WHILE, WHILE), mode="replicate")
    around = F.avg_pool1d(padded, 2 * WHILE + 1, stride=1)[0].T.numpy()
    local: np.ndarray = np.subtract(without, around)
    return local
