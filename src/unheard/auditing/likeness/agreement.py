"""How unusual the agreement of two fields over time is: where a tune or a rhythm is that of another sound.

A field [frames, values] says what happens when, such as which pitch classes sound. Both fields are correlated
at all lags, at `TEMPI`, and, where the values form a circle, at all rotations of it: that is one Fourier
transform a tempo. Along the best lines a scan finds the passage that agrees (Bentley, Programming Pearls,
CACM 1984). A sound that goes on and on agrees with many; so a correlation counts by the number of independent
values it was taken of (Bartlett 1935), as in `unheard.auditing.envelopes`.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import fft

TEMPI = np.linspace(0.92, 1.08, 9)
"""How much faster the second sound may be."""
LINES = 3
"""Tempi that are looked at closely, those with the best lines."""
LEAST = 2.0
"""Seconds of the shortest passage."""
BAR = 0.3
"""Correlation above which a frame counts for a passage."""
HIGHEST_CORRELATION = 0.95
"""A higher one says no more: the same notes on another instrument hardly reach it."""


def agreement(first: np.ndarray, second: np.ndarray, rate: float, circle: bool) -> float:
    """The strongest agreement of two fields [frames, values], 0 or more; 0 where there is none.

    Args:
        rate: frames a second.
        circle: whether the values form a circle, so that one sound's may be rotated against the other's.
    """
    least = round(LEAST * rate)
    if min(len(first), len(second)) < least:
        return 0.0
    second = _unit(second)
    stretched = [_unit(_stretched(first, tempo)) for tempo in TEMPI]
    lines = sorted((_best_line(some, second, least, circle), -k) for k, some in enumerate(stretched))
    best = 0.0
    for (unusual, lag, rotation), k in lines[-LINES:]:
        if unusual > 0:
            best = max(best, _along(stretched[-k], np.roll(second, -rotation, axis=1), lag, least, circle))
    return best


def _best_line(first: np.ndarray, second: np.ndarray, least: int, circle: bool) -> tuple[float, int, int]:
    """Correlation times the root of the overlap's length, lag and rotation where that is highest."""
    frames, values = first.shape
    size = fft.next_fast_len(frames + len(second), real=True)
    if circle:
        x, y = (fft.rfft2(some, (values, size), axes=(1, 0)) for some in (first, second))
        cross = fft.irfft2(x.conj() * y, (values, size), axes=(1, 0))
    else:
        x, y = (fft.rfft(some, size, axis=0) for some in (first, second))
        cross = fft.irfft((x.conj() * y).sum(axis=1), size)[:, None]
    lags = np.arange(least - frames, len(second) - least + 1)
    start, end = np.maximum(0, -lags), np.minimum(frames, len(second) - lags)
    ours, theirs = (np.concatenate([[0], np.cumsum(np.square(some).sum(axis=1))]) for some in (first, second))
    energy = (ours[end] - ours[start]) * (theirs[end + lags] - theirs[start + lags])
    unusual = cross[lags] * np.sqrt((end - start) / np.maximum(energy, 1e-6 * least))[:, None]
    line, rotation = np.unravel_index(unusual.argmax(), unusual.shape)
    return float(unusual[line, rotation]), int(lags[line]), int(rotation)


def _along(first: np.ndarray, second: np.ndarray, lag: int, least: int, circle: bool) -> float:
    """The strength of the best passage at a lag, and of all that overlaps, the higher of both."""
    start, end = max(0, -lag), min(len(first), len(second) - lag)
    x, y = first[start:end], second[start + lag : end + lag]
    alike = (x * y).sum(axis=1) - BAR / 2 * (np.square(x).sum(axis=1) + np.square(y).sum(axis=1))
    total = np.cumsum(alike)
    before = np.concatenate([[0], total[:-1]])
    last = int((total - np.minimum.accumulate(before)).argmax())
    begin = int(before[: last + 1].argmin())
    strongest = strength(x, y, circle)
    if least <= last + 1 - begin < len(x):
        strongest = max(strongest, strength(x[begin : last + 1], y[begin : last + 1], circle))
    return strongest


def strength(first: np.ndarray, second: np.ndarray, circle: bool) -> float:
    """Evidence of a common origin of two passages [frames, values], 0 or more.

    The log-likelihood ratio of correlated against independent Gaussians, of as many as there are independent
    values.
    """
    x, y = (some - some.mean(axis=0) for some in (first, second))
    power = math.sqrt(float(np.square(x).sum() * np.square(y).sum()))
    correlation = float((x * y).sum()) / power if power > 0 else 0.0
    if correlation <= 0:
        return 0.0
    overlap = float((_autocorrelation(x, circle) * _autocorrelation(y, circle)).sum())
    values = x.size / max(overlap, 1e-9)
    return values * -math.log(1 - min(correlation, HIGHEST_CORRELATION) ** 2)


def _autocorrelation(field: np.ndarray, circle: bool) -> np.ndarray:
    """At all lags, and at all rotations of a circle; 1 at lag 0."""
    frames, values = field.shape
    size = fft.next_fast_len(2 * frames, real=True)
    spectrum = np.square(np.abs(fft.rfft2(field, (values, size), axes=(1, 0))))
    found: np.ndarray = fft.irfft2(spectrum, (values, size), axes=(1, 0))
    return found / found[0, 0]


def _stretched(field: np.ndarray, tempo: float) -> np.ndarray:
    """A field [frames, values] at another tempo, between frames by a straight line."""
    places = np.arange(0, len(field) - 1, tempo)
    below = places.astype(int)
    share = (places - below)[:, None].astype(field.dtype)
    between: np.ndarray = field[below] * (1 - share) + field[below + 1] * share
    return between


def _unit(field: np.ndarray) -> np.ndarray:
    """Without each value's mean, and of mean square norm 1 a frame."""
    centred = field - field.mean(axis=0)
    unit: np.ndarray = centred / max(float(np.sqrt(np.square(centred).sum(axis=1).mean())), 1e-9)
    return unit.astype(np.float32)
