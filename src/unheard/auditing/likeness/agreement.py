"""How unusual the agreement of two fields over time is: where a tune or a rhythm is that of another sound.

A field [frames, values] says what happens when, such as which pitch classes sound. Both fields are correlated
at all lags, at `TEMPI`, and, where the values form a circle, at all rotations of it: that is one Fourier
transform a tempo. On the best lines a scan finds the passage that agrees (Bentley, Programming Pearls, CACM
1984). What goes on and on in the same way agrees with much else; so a correlation counts by the number of
independent moments it was taken of (Bartlett 1935, "Some aspects of the time-correlation problem in regard to
tests of significance").
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy import fft

from unheard.auditing.alignment import best_run
from unheard.auditing.envelopes import cosine, independent_moments
from unheard.auditing.features import PERIOD

TOGETHER = 2
"""Frames averaged into one before fields are compared."""
RATE = 1 / (PERIOD * TOGETHER)
"""Of what is compared, in hertz."""
TEMPI = tuple(np.linspace(0.92, 1.08, 9).tolist())
"""How much faster the second sound may be."""
LINES = 3
"""Tempi whose best line is looked at closely."""
LEAST, MOST = 2.0, 10.0
"""Seconds of the shortest passage, and from which a longer one says no more: chance has more room in it."""
BAR = 0.3
"""Correlation above which a frame counts for a passage."""
HIGHEST_CORRELATION = 0.97
"""A higher one says no more: the same notes on another instrument hardly reach it."""
LENGTH = 0.75
"""Power of the seconds: chosen on rendered families like the calibration's (docs/log.md, 2026-11-26)."""


class Line(NamedTuple):
    """The best lag and rotation at one tempo.

    Attributes:
        unusual: correlation over the overlap, times the root of its frames.
        lag: frames by which the first field lies later in the second.
        rotation: values by which it is rotated.
    """

    unusual: float
    lag: int
    rotation: int


def agreement(first: np.ndarray, second: np.ndarray, *, circle: bool = False) -> float:
    """The strongest agreement of two fields [frames, values], 0 or more; 0 where there is none.

    Args:
        first, second: of any length, a frame every `PERIOD` seconds.
        circle: whether the values form a circle, so that one field's may be rotated against the other's.
    """
    first, second = together(first), together(second)
    least = round(LEAST * RATE)
    if min(len(first) / max(TEMPI), len(second)) < least:
        return 0.0
    second = _unit(second)
    stretched = [_unit(_at_tempo(first, tempo)) for tempo in TEMPI]
    lines = [(best_line(some, second, least, circle), some) for some in stretched]
    lines.sort(key=lambda found: found[0].unusual, reverse=True)
    return max(
        _along(some, np.roll(second, -line.rotation, axis=1), line.lag, least) for line, some in lines[:LINES]
    )


def together(field: np.ndarray) -> np.ndarray:
    """A field [frames, values] at `RATE`: averages of `TOGETHER` frames."""
    frames = len(field) // TOGETHER
    averaged: np.ndarray = field[: frames * TOGETHER].reshape(frames, TOGETHER, field.shape[1]).mean(axis=1)
    return averaged


def best_line(first: np.ndarray, second: np.ndarray, least: int, circle: bool) -> Line:
    """The line along which two centred fields [frames, values] agree most, over `least` frames or more."""
    frames, values = first.shape
    size = 1 << (frames + len(second) - 1).bit_length()
    if circle:
        x, y = (fft.rfft2(some, (values, size), axes=(1, 0)) for some in (first, second))
        cross = fft.irfft2(x.conj() * y, (values, size), axes=(1, 0))  # [lags, rotations]
    else:
        x, y = (fft.rfft(some, size, axis=0) for some in (first, second))
        cross = fft.irfft((x.conj() * y).sum(axis=1), size)[:, None]
    lags = np.arange(least - frames, len(second) - least + 1)
    start, end = np.maximum(0, -lags), np.minimum(frames, len(second) - lags)
    ours, theirs = (np.append(0, np.cumsum(np.square(some).sum(axis=1))) for some in (first, second))
    energy = (ours[end] - ours[start]) * (theirs[end + lags] - theirs[start + lags])
    scale = np.sqrt((end - start) / np.maximum(energy, 1e-6 * least))
    unusual = cross[lags] * scale[:, None]
    line, rotation = np.unravel_index(unusual.argmax(), unusual.shape)
    return Line(float(unusual[line, rotation]), int(lags[line]), int(rotation))


def strength(first: np.ndarray, second: np.ndarray) -> float:
    """Evidence that two passages [frames, values] are of one origin, 0 or more.

    The root of the log-likelihood ratio of correlated against independent Gaussians, of as many as there are
    independent moments, times a power of the seconds.
    """
    x, y = (some - some.mean(axis=0) for some in (first, second))
    correlation = cosine(x, y)
    if correlation <= 0:
        return 0.0
    seconds = min(len(x) / RATE, MOST)
    moments = math.sqrt(independent_moments(x) * independent_moments(y)) * seconds / (len(x) / RATE)
    ratio = -math.log(1 - min(correlation, HIGHEST_CORRELATION) ** 2)
    return float(seconds**LENGTH * math.sqrt(moments * ratio))


def _along(first: np.ndarray, second: np.ndarray, lag: int, least: int) -> float:
    """The strength of all that overlaps at a lag, or of the best passage in it, the higher of both."""
    start, end = max(0, -lag), min(len(first), len(second) - lag)
    x, y = first[start:end], second[start + lag : end + lag]
    alike = (x * y).sum(axis=1) - BAR / 2 * (np.square(x) + np.square(y)).sum(axis=1)
    begin, beyond = best_run(alike)
    strongest = strength(x, y)
    if least <= beyond - begin < len(x):
        strongest = max(strongest, strength(x[begin:beyond], y[begin:beyond]))
    return strongest


def _at_tempo(field: np.ndarray, tempo: float) -> np.ndarray:
    """A field [frames, values] played so much faster; between frames it follows a straight line."""
    places = np.arange(0, len(field) - 1, tempo)
    before = places.astype(int)
    share = (places - before)[:, None]
    between: np.ndarray = field[before] * (1 - share) + field[before + 1] * share
    return between


def _unit(field: np.ndarray) -> np.ndarray:
    """Without each value's mean, and of mean square norm 1 a frame; all zeros where nothing changes."""
    centred = field - field.mean(axis=0)
    norm = math.sqrt(float(np.square(centred).sum(axis=1).mean()))
    unit: np.ndarray = (centred / max(norm, 1e-9)).astype(np.float32)
    return unit
