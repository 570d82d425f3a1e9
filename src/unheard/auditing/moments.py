"""Whether two sounds have moments in common at one place, however these were made: by a trained network.

A moment is what happens within .7 s (`unheard.auditing.moment_network`). Of two frames the network gives the
log likelihood ratio of one moment against different ones, and along a lag these add up. Relatives have
moments in common, too, at many lags, wherever their beats meet. So what counts is by how much the best
passage exceeds what is found at all other lags, and only at a place where other evidence finds likeness.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from unheard.auditing import envelopes
from unheard.auditing.alignment import best_run, best_sums
from unheard.auditing.envelopes import LEAST, REACH
from unheard.auditing.features import Signal
from unheard.auditing.moment_network import NUMBERS, SEEN, levels, trained

OWN = 0.7
"""What the best passage at the network's own lag is worth, where the envelopes find another."""
BLOCK = 4096
"""Frames that the network hears at once, so that a long sound takes no more memory than its envelopes."""
ELSEWHERE = 2 * REACH
"""Frames beyond which a lag is another one: .2 s."""


@dataclass(frozen=True)
class Passage:
    """Moments that two sounds have in common.

    Attributes:
        excess: the evidence, above 0: log likelihood ratios of the passage over those of the best elsewhere.
        start, end: frames of the passage in the first sound; `end` is exclusive.
        lag: frames by which it lies later in the second sound.
    """

    excess: float
    start: int
    end: int
    lag: int


@torch.no_grad()
def moments(decibels: Tensor) -> Tensor:
    """Envelopes [frames, BANDS], decibels, to moments [frames, NUMBERS + 1].

    A moment is a vector of unit length, and how much it says: above 0 and up to 2, or 0 for a silent frame.
    The network is read when this is first asked.
    """
    if not len(decibels):
        return torch.zeros(0, NUMBERS + 1)
    heard = levels(decibels[None])
    sounding = heard.any(dim=2)
    blocks = []
    for start in range(0, len(decibels), BLOCK):
        first, beyond = max(0, start - SEEN), min(start + BLOCK, len(decibels))
        vectors, weights = trained()(heard[:, first : beyond + SEEN])
        inside = slice(start - first, beyond - first)
        says = weights[0, inside] * sounding[0, start:beyond]
        blocks.append(torch.cat([vectors[0, inside], says[:, None]], dim=1))
    return torch.cat(blocks)


def of_signal(signal: Signal) -> Tensor:
    """As `moments`; `Signal.once` asks it once for all that need them."""
    return moments(signal.once(envelopes.of_signal))


@torch.no_grad()
def log_ratios(first: Tensor, second: Tensor) -> np.ndarray:
    """Moments [frames, NUMBERS + 1] and [others, NUMBERS + 1] to log likelihood ratios [frames, others]."""
    cosines = first[:, :NUMBERS] @ second[:, :NUMBERS].T
    ours, theirs = first[:, NUMBERS, None], second[None, :, NUMBERS]
    both, either = (ours > 0) & (theirs > 0), (ours > 0) | (theirs > 0)
    found: np.ndarray = trained().log_ratios(cosines, ours * theirs, both, either).numpy()
    return found


def best_passage(ratios: np.ndarray, by_envelopes: int | None, known: Collection[int]) -> Passage | None:
    """The passage that exceeds what is found at all other lags; None if none does where others find likeness.

    A lag's sum is the largest of any stretch of log likelihood ratios along it. The passage is the best
    within `REACH` frames of the envelopes' lag, or the best of all, whose sum then counts `OWN`. The best sum
    more than `ELSEWHERE` frames away is taken off.

    The network's own lag, that of the best sum of all, must lie within `REACH` frames of a known one. Sounds
    shorter than `LEAST` frames have no passage.

    Args:
        ratios: log likelihood ratios of the frames [frames, others], from `log_ratios`.
        by_envelopes: the lag at which the envelopes are alike; None where they are not.
        known: lags at which any other evidence finds likeness, the envelopes among it.
    """
    frames, others = ratios.shape
    if min(frames, others) < LEAST:
        return None
    sums = best_sums(ratios)
    lags = np.arange(len(sums)) - (frames - 1)
    own = int(sums.argmax())
    if sums[own] <= 0 or all(abs(lags[own] - lag) > REACH for lag in known):
        return None
    place, worth = own, OWN * float(sums[own])
    if by_envelopes is not None:
        long_enough = (lags >= LEAST - frames) & (lags <= others - LEAST)
        near = np.flatnonzero((np.abs(lags - by_envelopes) <= REACH) & long_enough)
        if len(near) and sums[near].max() >= worth:
            place = int(near[sums[near].argmax()])
            worth = float(sums[place])
    excess = worth - float(sums[np.abs(lags - lags[place]) > ELSEWHERE].max(initial=0.0))
    if excess <= 0:
        return None
    lag = int(lags[place])
    start, end = best_run(np.diagonal(ratios, lag))
    first = max(0, -lag)
    return Passage(excess, first + start, first + end, lag)
