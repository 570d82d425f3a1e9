"""Where two sounds are alike: the best path through their frame-by-frame similarity.

A copied passage is a straight line in the matrix of frames against frames: its offset is the shift, its slope
the change of tempo, and transposing moves features along the bands. So the search is a Hough transform: for
every transposition, slope and offset, the best run of frames along that line, as a maximum-sum subarray
(Bentley, Programming Pearls, CACM 1984) of

    s(i, j) = q_i . r_j - bar (|q_i|^2 + |r_j|^2) / 2

which is positive where the frames' correlation is above `bar`, and zero in silence: a local alignment
(Smith and Waterman 1981) without gaps. First at half the frame rate over all lines, then at the full rate
around the best. The fine features choose the line; how much is alike along it is asked of them and of the
blurred ones, and the strength is the mean of both answers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from unheard.auditing.features import BLURRED, FINE, PER_SEMITONE, PERIOD

TRANSPOSITIONS = range(-2 * PER_SEMITONE, 2 * PER_SEMITONE + 1)
"""In bands: two semitones either way."""
STRETCHES = (0.925, 0.95, 0.975, 1.0, 1.025, 1.05, 1.075)
SEARCH_BAR = 0.4
BARS = (0.3, 0.5, 0.7)
"""Correlations above which a passage counts: low for long faint passages, high for short exact ones."""
FINER_STRETCHES = (0.0, -0.005, 0.005, -0.01, 0.01)
"""Around the stretch found at half the rate; it comes first, so that it wins a tie."""
REACH = 5
"""Frames on either side of the line found at half the rate."""
EXACT = 0.9
SHARPNESS = 1.5
VARIETY = 0.4
"""Chosen on families of sounds like the calibration's (docs/log.md, 2026-11-25)."""
LEAST = 20
"""Frames: what is shorter than half a second is no path of its own."""
FLOOR = 1e-3
"""Share of the most eventful frame's energy as which a frame without events is weighted."""
LOUD = 0.05
"""Share of the most eventful frame's energy below which a frame does not count in the mean."""


@dataclass(frozen=True)
class Alignment:
    """The best path, in frames of `PERIOD` seconds.

    Attributes:
        strength: the evidence: the mean of `strength` in fine and in blurred features.
        correlation: of the matched passages, -1 to 1.
        start, end: of the passage in the first sound; `end` is exclusive.
        other_start, other_end: of the passage in the second.
        stretch: how much longer the passage lasts in the first.
        transposition: bands by which the first is higher.
        room: frames in which chance could have found it: the geometric mean of how many of either sound are
            not silent.
    """

    strength: float
    correlation: float
    start: int
    end: int
    other_start: int
    other_end: int
    stretch: float
    transposition: int
    room: float


def balanced(features: Tensor) -> Tensor:
    """Features of mean square norm 1 a frame; each is first divided by the square root of its own norm.

    So an attack counts for more than a held note or noise, but not by as much as its decibels would have it.
    """
    energy = features.square().sum(dim=(1, 2))
    if not energy.any():
        return features
    eased = features * (energy / energy.max()).clamp(min=FLOOR)[:, None, None] ** -0.25
    loud = energy > LOUD * energy.max()
    return eased / eased[loud].square().sum(dim=(1, 2)).mean().sqrt()


def transposed(features: Tensor, bands: int) -> Tensor:
    """Features moved `bands` down: what a sound that is that much higher looks like in the original's key."""
    if bands >= 0:
        return F.pad(features[..., bands:], (0, bands))
    return F.pad(features[..., :bands], (-bands, 0))


def halved(features: Tensor) -> Tensor:
    """Pairs of frames averaged."""
    pairs = len(features) // 2
    return features[: 2 * pairs].reshape(pairs, 2, *features.shape[1:]).mean(dim=1)


def best_sums(similarity: np.ndarray) -> np.ndarray:
    """Similarities [frames, ..., others] to the best run's sum on each diagonal [..., frames + others - 1].

    The first diagonal begins at the last frame, and the one at `frames - 1` at the first frame of both.
    Kadane's scan: one pass over the frames, each step an operation on all diagonals it touches.
    """
    frames, *lead, others = similarity.shape
    running = np.zeros((*lead, frames + others - 1), similarity.dtype)
    best = running.copy()
    for frame, row in enumerate(similarity):
        touched = slice(frames - 1 - frame, frames - 1 - frame + others)
        here, most = running[..., touched], best[..., touched]
        np.maximum(here, 0, out=here)
        here += row
        np.maximum(most, here, out=most)
    return best


def best_run(values: np.ndarray) -> tuple[int, int]:
    """Start and end, which is exclusive, of the run of values [frames] with the largest sum."""
    sums = np.cumsum(values)
    before = np.concatenate([[0], sums[:-1]])
    last = int((sums - np.minimum.accumulate(before)).argmax())
    return int(before[: last + 1].argmin()), last + 1


def lines(similarity: np.ndarray) -> np.ndarray:
    """[frames, others] to its diagonals [frames, frames + others - 1], in the order of `best_sums`."""
    frames, others = similarity.shape
    padded = np.zeros((frames, others + 2 * (frames - 1)), similarity.dtype)
    padded[:, frames - 1 : frames - 1 + others] = similarity
    row, one = padded.strides
    shape = (frames, frames + others - 1)
    return np.lib.stride_tricks.as_strided(padded, shape, (row + one, one), writeable=False)


def align(first: Tensor, second: Tensor) -> Alignment | None:
    """The best path between two sounds' features [frames, views, bands]; None if nothing of them is alike."""
    fine, other = first[:, FINE], second[:, FINE]
    if not (len(fine) > 1 and len(other) > 1 and fine.any() and other.any()):
        return None
    line = _search(fine, other)
    found = _refine(fine, other, *line)
    if found is None:
        return None
    blurred = _refine(first[:, BLURRED], second[:, BLURRED], *line)
    return replace(found, strength=(found.strength + (blurred.strength if blurred else 0.0)) / 2)


def _search(first: Tensor, second: Tensor) -> tuple[int, float, float]:
    """Transposition in bands, stretch, and offset in full-rate frames, of the best line at half the rate."""
    slow, r = balanced(halved(first)), balanced(halved(second)).flatten(1)
    q = torch.stack([transposed(slow, bands).flatten(1) for bands in TRANSPOSITIONS], dim=1)
    similarity = _above(q, r, SEARCH_BAR)  # [frames, transpositions, others]
    best, found = -1.0, (0, 1.0, 0.0)
    for stretch in STRETCHES:
        columns = np.round(np.arange(round(len(r) * stretch)) / stretch).astype(int)
        sums = best_sums(similarity.take(np.minimum(columns, len(r) - 1), axis=2))
        transposition, line = np.unravel_index(sums.argmax(), sums.shape)
        if sums[transposition, line] > best:
            best = float(sums[transposition, line])
            offset = (int(line) - (len(q) - 1)) / stretch  # lines count frames of the stretched sound
            found = (TRANSPOSITIONS[transposition], stretch, 2 * offset)
    return found


def _refine(first: Tensor, second: Tensor, bands: int, stretch: float, offset: float) -> Alignment | None:
    """The strongest passage on the lines around one, at the full frame rate."""
    q, r = transposed(balanced(first), bands).flatten(1), balanced(second).flatten(1)
    energy_q, energy_r = (sound.square().sum(dim=1).numpy() for sound in (q, r))
    products = (q @ r.T).numpy()
    frame = np.arange(len(q))
    slopes = 1 / (stretch + np.array(FINER_STRETCHES))[:, None, None]
    # lines turn about the middle of what they share, so that a change of slope is not a shift
    shared = np.clip(np.array([-offset, len(r) - offset]) * stretch, 0, len(q)).mean()
    exact = offset + shared / stretch + slopes * (frame - shared) + np.arange(-REACH, REACH + 1)[:, None]
    other = np.round(exact).astype(int)
    inside = (other >= 0) & (other < len(r))
    other = other.clip(0, len(r) - 1)
    product = np.where(inside, products[frame, other], 0.0)
    energy = np.where(inside, (energy_q[frame] + energy_r[other]) / 2, np.inf)

    room = math.sqrt((energy_q > 0).sum() * (energy_r > 0).sum())
    best: Alignment | None = None
    for bar in BARS:
        sums = np.cumsum(np.where(inside, product - bar * np.where(inside, energy, 0), -1e3), axis=-1)
        before = np.concatenate([np.zeros_like(sums[..., :1]), sums[..., :-1]], axis=-1)
        passage = sums - np.minimum.accumulate(before, axis=-1)
        slope, line, last = (int(at) for at in np.unravel_index(passage.argmax(), passage.shape))
        start = int(before[slope, line, : last + 1].argmin())
        ours, theirs = slice(start, last + 1), other[slope, line, start : last + 1]
        power = np.sqrt(energy_q[ours].sum() * energy_r[theirs].sum())
        if passage[slope, line, last] <= 0 or power <= 0:
            continue
        correlation = float(product[slope, line, ours].sum() / power)
        variety = min(distinct(q[ours]), distinct(r[theirs]))
        evidence = strength(correlation, len(theirs), variety)
        if best is None or evidence > best.strength:
            ends = start, last + 1, int(theirs[0]), int(theirs[-1]) + 1
            best = Alignment(evidence, correlation, *ends, 1 / float(slopes[slope, 0, 0]), bands, room)
    return best


def strength(correlation: float, frames: int, variety: float) -> float:
    """Evidence that a passage of `frames` frames at this correlation is one recording's, 0 or more.

    Seconds, times a power of the log-likelihood ratio of correlated against independent Gaussians,
    -1/2 log(1 - c^2), times a power of the passage's variety: two seconds of a held note say less than two of
    a melody. The first power is above 1 since other phrases in the same style correlate as well, at .6 for
    many seconds. The correlation counts up to `EXACT`, so that a short exact passage does not outweigh a long
    altered one.
    """
    ratio = -0.5 * math.log(1 - min(max(correlation, 0.0), EXACT) ** 2)
    return float(frames * PERIOD * ratio**SHARPNESS * variety**VARIETY)


def distinct(vectors: Tensor) -> float:
    """How many frames differ: the participation ratio of the eigenvalues of their Gram matrix."""
    slow = vectors[::2]
    gram = slow @ slow.T
    return float(gram.trace().square() / gram.square().sum().clamp(min=1e-12))


def coverage(first: Tensor, second: Tensor, found: Alignment) -> np.ndarray:
    """Which frames of the first sound lie on a path through the second, [frames] of truth values.

    Not only the best one: a loop of two bars copies them as often as they come. All paths of the match's
    slope and transposition count that last `LEAST` frames or more and have a third of the best one's sum: a
    note that both happen to hold is no path.
    """
    q = transposed(balanced(first[:, FINE]), found.transposition).flatten(1)
    r = balanced(second[:, FINE]).flatten(1)
    columns = np.round(np.arange(round(len(r) * found.stretch)) / found.stretch).astype(int)
    on_lines = lines(_above(q, r[np.minimum(columns, len(r) - 1)], found.correlation / 2))
    forwards, backwards = _runs(on_lines), _runs(on_lines[::-1])[::-1]
    through = forwards + backwards - on_lines  # the best run through each frame of each line
    near = uniform(on_lines, LEAST)
    covered: np.ndarray = ((through > through.max() / 3) & (near > 0)).any(axis=1)
    return covered


def cosines(first: Tensor, second: Tensor, bands: int) -> np.ndarray:
    """Cosines of frames [frames, frames], float32; 0 where either is silent."""
    q, r = transposed(first[:, FINE], bands).flatten(1), second[:, FINE].flatten(1)
    return (F.normalize(q, dim=1) @ F.normalize(r, dim=1).T).numpy()


def _above(q: Tensor, r: Tensor, bar: float) -> np.ndarray:
    """s(i, j) for vectors [..., frames, numbers] and [others, numbers]."""
    energy_q, energy_r = q.square().sum(dim=-1), r.square().sum(dim=-1)
    return (q @ r.T - bar / 2 * (energy_q[..., None] + energy_r)).numpy()


def _runs(on_lines: np.ndarray) -> np.ndarray:
    """[frames, lines] to the sum of the best run that ends at each frame."""
    sums = np.cumsum(on_lines, axis=0)
    before = np.concatenate([np.zeros_like(sums[:1]), sums[:-1]])
    return sums - np.minimum.accumulate(before, axis=0)


def uniform(on_lines: np.ndarray, width: int) -> np.ndarray:
    """Sums over `width` frames around each."""
    padded = np.pad(on_lines, ((width // 2 + 1, width - width // 2 - 1), (0, 0)))
    sums = np.cumsum(padded, axis=0)
    windows: np.ndarray = sums[width:] - sums[:-width]
    return windows
