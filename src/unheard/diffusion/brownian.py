"""The Brownian motion whose increments stochastic samplers add, by Lévy's construction.

The noise that a step of DPM-Solver++'s SDE adds is an Itô integral, and it is exactly an increment of a
Brownian motion whose time is `1 / sigma^2`: with `lambda = -log(sigma)`,

    sigma_next * integral of exp(lambda - lambda_next) sqrt(2) dW  =  sigma_next^2 * (B(end) - B(begin))

So a seed is one motion, and more steps solve the same equation more finely.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Floats = npt.NDArray[np.float32]

COARSEST = 8
"""Halvings of an octave down to the cells in which a noise level may lie alone."""
FINEST = 40
"""As many as double precision tells apart."""
_OCTAVES = 1 << 10  # on either side of sigma 1; keeps numbers of octaves above 0


class BrownianNoise:
    """Increments of one Brownian motion a sample, as unit-variance noise `noise(sigma, sigma_next)`.

    The motion is a function of the seed alone: a seed has the same noise in another batch, on another device
    and in another range of noise levels, and with another number of steps the same motion, read at other
    times.

    Each octave of noise levels, `2^k` to `2^(k+1)`, has an independent increment of its own; inside it the
    motion is halved again and again (Lévy's construction), each middle drawn when it is first needed. In the
    last cell the motion is bridged at the level that is asked for. That is exact, not an approximation, as
    long as no cell holds two levels: so there are as many halvings as `sigmas` need (Jelinčič et al. 2024,
    arXiv 2405.06464, section 4).

    Args:
        shape_of_one: shape of one sample, without the batch.
        seeds: one non-negative seed a sample.
        sigmas: the noise levels that will be asked for, in any order; 0 is left out.
    """

    def __init__(
        self, shape_of_one: Sequence[int], seeds: Sequence[int], sigmas: Iterable[float] = ()
    ) -> None:
        halvings = halvings_for(sigmas)
        self._shape = tuple(shape_of_one)
        self._motions = [_Motion(math.prod(self._shape), seed, halvings) for seed in seeds]

    def __call__(self, sigma: float, sigma_next: float) -> Tensor:
        """Noise [batch, *shape_of_one], float32 on the CPU, of the interval between two noise levels.

        Args:
            sigma, sigma_next: above 0, in either order, and not equal.
        """
        high, low = max(sigma, sigma_next), min(sigma, sigma_next)
        increments = np.stack([motion.increment(high, low) for motion in self._motions])
        return torch.from_numpy(increments).reshape(len(increments), *self._shape)


def halvings_for(sigmas: Iterable[float]) -> int:
    """How often octaves are halved so that no cell holds two of some noise levels, at least `COARSEST`."""
    places = {_place(sigma) for sigma in sigmas if sigma > 0}
    return next(
        (
            halvings
            for halvings in range(COARSEST, FINEST)
            if len({(octave, int(time * 2**halvings)) for octave, time in places}) == len(places)
        ),
        FINEST,
    )


def _place(sigma: float) -> tuple[int, float]:
    """The octave of a noise level, and the time in it: above 0, where it is highest, and at most 1."""
    mantissa, exponent = math.frexp(sigma)  # sigma = mantissa * 2^exponent, mantissa from .5 to below 1
    return exponent - 1, (1 / mantissa**2 - 1) / 3


class _Motion:
    """The motion of one seed, over time that runs from the highest noise level to the lowest."""

    def __init__(self, values: int, seed: int, halvings: int) -> None:
        self._values, self._seed, self._halvings = values, seed, halvings
        self._path: list[tuple[int, Floats]] = []  # cells that were read last, from the octave inwards
        self._last: tuple[tuple[int, float], Floats] | None = None

    def increment(self, high: float, low: float) -> Floats:
        """Between two noise levels, divided by the root of the time between them: unit variance [values]."""
        (first, begin), (last, end) = _place(high), _place(low)
        before = self._at(first, begin)
        if first == last:
            between: Floats = np.float32(1 / math.sqrt(end - begin)) * (self._at(last, end) - before)
            return between
        # An octave takes a quarter of the time of the one below it.
        lengths = {octave: 4.0 ** (last - octave) for octave in range(last, first + 1)}
        whole = [octave for octave in lengths if last < octave < first]
        total = lengths[first] * (1 - begin) + sum(lengths[octave] for octave in whole) + end
        weights = {octave: np.float32(math.sqrt(length / total)) for octave, length in lengths.items()}
        increment: Floats = weights[first] * (self._normal(first, 1) - before)
        for octave in whole:
            increment += weights[octave] * self._normal(octave, 1)
        increment += weights[last] * self._at(last, end)
        return increment

    def _at(self, octave: int, time: float) -> Floats:
        """The motion [values] at a time of an octave, from where the octave begins."""
        place = octave, time
        if self._last is None or self._last[0] != place:
            self._last = place, self._read(octave, time)
        return self._last[1]

    def _read(self, octave: int, time: float) -> Floats:
        """Halve the octave down to the cell of the time, and bridge there; what was halved last is known."""
        known = dict(self._path)
        self._path = []
        left, right = np.zeros(self._values, dtype=np.float32), self._normal(octave, 1)
        begin, length, cell = 0.0, 1.0, 1
        for _ in range(self._halvings):
            number = self._number(octave, cell)
            middle = known.get(number)
            if middle is None:
                middle = self._normal(octave, cell << 1 | 1)
                middle *= np.float32(math.sqrt(length) / 2)
                middle += np.float32(0.5) * (left + right)
            self._path.append((number, middle))
            length /= 2
            if time < begin + length:
                right, cell = middle, cell << 1
            else:
                left, cell, begin = middle, cell << 1 | 1, begin + length
        share = (time - begin) / length
        bridged = self._normal(octave, cell << 1 | 1)
        bridged *= np.float32(math.sqrt(length * share * (1 - share)))
        bridged += np.float32(1 - share) * left
        bridged += np.float32(share) * right
        return bridged

    def _normal(self, octave: int, number: int) -> Floats:
        """Independent standard normal numbers [values] for each number of each octave."""
        entropy = np.random.SeedSequence((self._seed, self._number(octave, number)))
        generator = np.random.Generator(np.random.SFC64(entropy))
        return generator.standard_normal(self._values, dtype=np.float32)

    @staticmethod
    def _number(octave: int, number: int) -> int:
        """One number for a number of an octave; of two words, so that no seed's last word is taken for it."""
        return (octave + _OCTAVES) << (FINEST + 3) | number
