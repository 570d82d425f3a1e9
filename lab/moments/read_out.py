"""From the moments of two sounds to one number: how far the best passage in common stands out.

Copies and relatives both have moments in common. Relatives have them at many lags, wherever their beats
meet, and nothing else finds those lags. So what counts is the excess over all other lags, and only where
another kind of evidence finds the same lag.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from lab.moments.network import NUMBERS, MomentNetwork, levels
from unheard.auditing.alignment import Alignment, best_sums
from unheard.auditing.envelopes import LEAST, REACH, Likeness

OWN = 0.7
"""What the best passage at the network's own lag is worth, where the envelopes find another."""
ELSEWHERE = 2 * REACH
"""Frames beyond which a lag is another one: .2 s."""


@dataclass(frozen=True)
class Moments:
    """What the network hears of a sound.

    Attributes:
        vectors: of unit length, [frames, NUMBERS].
        weights: how much each frame says, 0 to 2.
        sounding: whether anything sounds in it.
    """

    vectors: np.ndarray
    weights: np.ndarray
    sounding: np.ndarray


@torch.no_grad()
def hear(network: MomentNetwork, envelopes: np.ndarray) -> Moments:
    """The moments of a sound's envelopes [frames, BANDS], decibels."""
    if not len(envelopes):
        return Moments(np.zeros((0, NUMBERS), np.float32), np.zeros(0, np.float32), np.zeros(0, bool))
    heard = levels(torch.from_numpy(np.asarray(envelopes, np.float32))[None])
    vectors, weights = network(heard)
    return Moments(vectors[0].numpy(), weights[0].numpy(), (heard[0].amax(dim=1) > 0).numpy())


@torch.no_grad()
def ratios(network: MomentNetwork, first: Moments, second: Moments) -> np.ndarray:
    """Log likelihood ratios [frames, others] of each pair of frames."""
    cosines = torch.from_numpy(first.vectors @ second.vectors.T)
    weights = torch.from_numpy(np.multiply.outer(first.weights, second.weights))
    both = torch.from_numpy(np.logical_and.outer(first.sounding, second.sounding))
    either = torch.from_numpy(np.logical_or.outer(first.sounding, second.sounding))
    found: np.ndarray = network.log_ratios(cosines, weights, both, either).numpy()
    return found


def excess(ratios: np.ndarray, likeness: Likeness | None, alignment: Alignment) -> float:
    """How far the best passage in common exceeds the best one at other lags; 0 or more.

    A passage's sum is the largest of any stretch of log likelihood ratios along its lag. The passage is the
    best within `REACH` frames of the envelopes' lag, or the best of all, which is then worth `OWN` of its
    sum. Of it, the best sum more than `ELSEWHERE` frames away is taken.

    The network's own lag, that of the best sum of all, must lie within `REACH` frames of the envelopes', or
    of the alignment's at either end; else it is 0. It is 0 too where a sound is shorter than `LEAST` frames.

    Args:
        ratios: log likelihood ratios of the frames [frames, others], from `ratios`.
        likeness: what the envelopes have in common, None for nothing.
        alignment: of the fine features; of strength 0 it says nothing.
    """
    frames, others = ratios.shape
    if min(frames, others) < LEAST:
        return 0.0
    sums = best_sums(ratios)
    lags = np.arange(len(sums)) - (frames - 1)
    own = int(sums.argmax())
    if sums[own] <= 0 or not agrees(int(lags[own]), likeness, alignment):
        return 0.0
    place, worth = own, OWN * float(sums[own])
    if likeness is not None:
        long_enough = (lags >= LEAST - frames) & (lags <= others - LEAST)
        near = np.flatnonzero((np.abs(lags - likeness.lag) <= REACH) & long_enough)
        if len(near) and sums[near].max() >= worth:
            place = int(near[sums[near].argmax()])
            worth = float(sums[place])
    elsewhere = float(sums[np.abs(lags - lags[place]) > ELSEWHERE].max(initial=0.0))
    return max(0.0, worth - elsewhere)


def agrees(lag: int, likeness: Likeness | None, alignment: Alignment) -> bool:
    """Whether a lag is that of the envelopes, or of the alignment where it begins or ends."""
    known = [] if likeness is None else [likeness.lag]
    if alignment.strength > 0:
        known += [alignment.other_start - alignment.start, alignment.other_end - alignment.end]
    return any(abs(lag - other) <= REACH for other in known)
