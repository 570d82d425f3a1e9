"""What remains of a recording under other music, behind a telephone, in a room: landmarks.

A landmark is a pair of peaks of the spectrogram: two frequencies, and the time between them (Wang 2003, "An
industrial-strength audio search algorithm"). Peaks outlast what is added to a sound, since something foreign
hides some of them and moves none. Two sounds that share a passage share landmarks at one and the same lag.
How many is that, of those that any two sounds of their kind share by chance? The votes for a lag are compared
with those for the other lags, as a Poisson variable: so a held note, which agrees with itself at every lag,
says little, and so do strokes of one drum, which agree wherever the beat does. One note, played from the same
sample, brings very many votes at once, so each moment has few. And it counts by how much the lag exceeds the
best other one: two phrases have notes in common at many lags.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from unheard.auditing.features import HOP, Signal
from unheard.auditing.spectrogram import COLUMNS, spectrogram

FFT = 1024
PER_FRAME = 2
"""Columns of the spectrogram to a frame of the audit."""
LOWEST_BIN = 6
"""About 90 Hz: below it, a bin is wider than a tone."""
BINS = FFT // 2 + 1 - LOWEST_BIN
AROUND_TIME, AROUND_BINS = 4, 5
"""Columns and bins on either side within which a peak is the highest."""
RANGE = 70.0 / 20 * math.log(10)
"""Nepers below the highest peak: 70 dB."""
CROWD, WITHIN = 30, 40
"""At most so many peaks in so many columns: half a second."""
PARTNERS = 12
"""Landmarks that begin at one peak, at most."""
SOONEST, LATEST = 2, 56
"""Columns from a peak to its partner: up to 0.7 s."""
WIDEST = 100
"""Bins from a peak to its partner: 1.6 kHz."""
SLACK = (-1, 0, 1)
"""Bins and columns by which a landmark may be off."""
FEWEST = 0.1
"""Votes that chance gives a lag, at least: so few coincidences are not counted precisely."""
USUAL = 0.99
"""Share of all lags that have no more votes than chance is taken to give; what is looped has a few more."""
CELL, OF_A_CELL = 8, 8
"""Columns of a moment, 0.1 s, and votes that it has for a lag, at most."""
ELSEWHERE = 16
"""Columns beyond which a lag is another one: 0.2 s."""
NEAR = 40
"""Columns around a shared peak that count as shared: half a second."""


@dataclass(frozen=True)
class Landmarks:
    """The landmarks of a sound, sorted by `keys`.

    Attributes:
        keys: [landmarks], both bins and the time between them in one number.
        columns: [landmarks], when the first peak is.
        length: columns of the sound.
    """

    keys: np.ndarray
    columns: np.ndarray
    length: int


@dataclass(frozen=True)
class Votes:
    """What two sounds share at one lag.

    Attributes:
        strength: surprise at so many votes, of what chance gives and of what the best other lag has, in nats
            a partner, 0 or more.
        count, chance: votes for the lag, and what the other lags lead one to expect.
        columns: [shared], of the first sound, rising: where the shared landmarks begin.
        lag: columns by which they lie later in the second sound.
    """

    strength: float
    count: int
    chance: float
    columns: np.ndarray
    lag: int

    @property
    def passage(self) -> tuple[int, int, int]:
        """Start and end of what is shared, in frames of the first sound, and by how many it lags."""
        first, last = (int(self.columns[at]) // PER_FRAME for at in (0, -1))
        return first, last + 1, round(self.lag / PER_FRAME)


def peaks(mono: Tensor, crowd: int = CROWD) -> Tensor:
    """Sound [time] at `SAMPLE_RATE` to truth values [frames, PER_FRAME, BINS]: where the peaks are.

    The loudest `crowd` of `WITHIN` columns are taken.
    """
    if len(mono) < FFT:
        return torch.zeros(0, PER_FRAME, BINS, dtype=torch.bool)
    level = spectrogram(mono, FFT, HOP // PER_FRAME, lambda some: some[LOWEST_BIN:].clamp(min=1e-7).log())
    found = level > level.max() - RANGE
    for start in range(0, level.shape[1], COLUMNS):
        before = min(start, AROUND_TIME)
        part = level[:, start - before : start + COLUMNS + AROUND_TIME]
        highest = _highest_around(_highest_around(part, AROUND_TIME).T, AROUND_BINS).T
        found[:, start : start + COLUMNS] &= (part == highest)[:, before : before + COLUMNS]
    for start in range(0, level.shape[1], WITHIN):
        some = slice(start, start + WITHIN)
        if int(found[:, some].sum()) > crowd:
            least = level[:, some][found[:, some]].topk(crowd).values[-1]
            found[:, some] &= level[:, some] >= least
    frames = len(mono) // HOP + 1
    columns = F.pad(found, (0, max(0, frames * PER_FRAME - found.shape[1])))[:, : frames * PER_FRAME]
    return columns.T.reshape(frames, PER_FRAME, BINS).contiguous()


def peaks_of_signal(signal: Signal) -> Tensor:
    """As `peaks`; `Signal.once` asks it once for all that need them."""
    return peaks(signal.mono)


def _highest_around(level: Tensor, reach: int) -> Tensor:
    """The maximum over as many numbers on both sides in the last dimension.

    One dimension after the other is many times as fast as `max_pool2d`.
    """
    return F.max_pool1d(level, 2 * reach + 1, stride=1, padding=reach)


def landmarks(found: Tensor, most: int = PARTNERS) -> Landmarks:
    """Peaks [frames, PER_FRAME, BINS] to landmarks, of which `most` begin at one peak."""
    columns, bins = np.nonzero(found.flatten(0, 1).numpy())
    length = len(found) * PER_FRAME
    first: list[np.ndarray] = []
    second: list[np.ndarray] = []
    partners = np.zeros(len(columns), int)
    anchors = np.arange(len(columns))
    for step in range(1, len(columns)):
        anchors = anchors[anchors + step < len(columns)]
        later = columns[anchors + step] - columns[anchors]
        near = (later <= LATEST) & (partners[anchors] < most)
        anchors, later = anchors[near], later[near]
        if not len(anchors):
            break
        apart = np.abs(bins[anchors + step] - bins[anchors])
        taken = anchors[(later >= SOONEST) & (apart <= WIDEST)]
        partners[taken] += 1
        first.append(taken)
        second.append(taken + step)
    if not first:
        return Landmarks(np.zeros(0, int), np.zeros(0, int), length)
    one, other = np.concatenate(first), np.concatenate(second)
    keys = key(bins[one], bins[other], columns[other] - columns[one])
    order = np.argsort(keys, kind="stable")
    return Landmarks(keys[order], columns[one][order], length)


def compare(first: Landmarks, second: Landmarks) -> Votes | None:
    """The lag for which most landmarks vote; None if they share none."""
    ours, theirs = _shared(first, second)
    if not len(ours):
        return None
    lags = theirs - ours
    lowest = int(lags.min())
    votes = _spread_votes(lags - lowest, ours // CELL)
    best = int(votes.argmax())
    count = int(votes[best])
    all_lags = np.zeros(max(first.length + second.length, len(votes)))
    all_lags[: len(votes)] = votes
    chance = max(float(all_lags.mean()), float(np.quantile(all_lags, USUAL)), FEWEST)
    if count <= chance:
        return None
    far = np.abs(np.arange(len(votes)) - best) > ELSEWHERE
    elsewhere = max(chance, float(votes[far].max(initial=0)))
    strength = float(surprise(count, chance) + surprise(count, elsewhere)) / PARTNERS
    at = np.abs(lags - lowest - best) <= max(SLACK)
    return Votes(strength, count, chance, np.sort(ours[at]), best + lowest)


def _spread_votes(lags: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Votes for each lag, 0 to the last, within the slack; each cell of the sound has `OF_A_CELL` at most."""
    width = int(cells.max()) + 1
    table = np.bincount(lags * width + cells, minlength=(int(lags.max()) + 1) * width).reshape(-1, width)
    padded = np.pad(table, ((1, 1), (0, 0)))
    within_slack = padded[:-2] + padded[1:-1] + padded[2:]
    votes: np.ndarray = np.minimum(within_slack, OF_A_CELL).sum(axis=1)
    return votes


def surprise(count: np.ndarray | float, chance: np.ndarray | float) -> np.ndarray:
    """At so many votes where chance gives so many, as a Poisson variable, in nats; 0 for as many or fewer."""
    nats: np.ndarray = count * np.log(count / chance) - (count - chance)
    return np.where(count > chance, nats, 0.0)


def covered(votes: Votes, frames: int) -> np.ndarray:
    """Which frames [frames] of the first sound lie near several shared landmarks."""
    marks = np.bincount(votes.columns, minlength=frames * PER_FRAME)[: frames * PER_FRAME]
    around = np.convolve(marks, np.ones(2 * NEAR + 1))[NEAR : NEAR + len(marks)]
    usual = np.median(around[marks > 0])
    near: np.ndarray = (around > usual / 4).reshape(frames, PER_FRAME).any(axis=1)
    return near


def key(low: np.ndarray | int, high: np.ndarray | int, later: np.ndarray | int) -> np.ndarray:
    """Two bins, and the columns between them, in one number; sums of keys are keys of sums."""
    key: np.ndarray = (np.asarray(low) * 1024 + high) * 128 + later
    return key


def members(begin: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of ranges, by where each begins and how many it has: every member's range, and where it is."""
    each = np.repeat(np.arange(len(count)), count)
    within = np.arange(len(each)) - np.repeat(np.cumsum(count) - count, count)
    return each, begin[each] + within


def _shared(first: Landmarks, second: Landmarks) -> tuple[np.ndarray, np.ndarray]:
    """Columns of both sounds where a landmark of one is the other's, within the slack, [pairs] each."""
    # the time between is the last of a key's parts, so all its slack is one range
    off = np.array([int(key(low, high, SLACK[0])) for low in SLACK for high in SLACK])
    sought = first.keys[:, None] + off
    begin = np.searchsorted(second.keys, sought, side="left")
    count = np.searchsorted(second.keys, sought + len(SLACK) - 1, side="right") - begin
    each, at = members(begin.ravel(), count.ravel())
    return np.repeat(first.columns, len(off))[each], second.columns[at]
