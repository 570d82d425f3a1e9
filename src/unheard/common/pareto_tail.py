"""The end of a distribution of which only a sample is known: a generalised Pareto tail.

What exceeds a high value is distributed so, whatever the distribution (Pickands 1975, Annals of Statistics 3,
119; Coles, An Introduction to Statistical Modeling of Extreme Values, 2001, chapter 4).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NO_SHAPE = 1e-6
"""Below this the tail is an exponential one."""


@dataclass(frozen=True)
class ParetoTail:
    """What lies beyond a value.

    Attributes:
        threshold: that value.
        beyond: share of the whole distribution beyond it.
        scale, shape: of the generalised Pareto distribution of what exceeds it.
    """

    threshold: float
    beyond: float
    scale: float
    shape: float

    @classmethod
    def fit(cls, values: Sequence[float] | np.ndarray, quantile: float) -> ParetoTail:
        """The tail of a sample beyond one of its quantiles, by maximum likelihood.

        The shape is its own standard error at least, 1 / sqrt(excesses) near 0 (Smith 1987): some dozens of
        values cannot show that a tail ends, or that it falls faster than that.
        """
        from scipy.stats import genpareto

        ordered = np.sort(values)
        threshold = float(np.quantile(ordered, quantile))
        excess = ordered[ordered > threshold] - threshold
        shape, _, scale = genpareto.fit(excess, floc=0)
        least = len(excess) ** -0.5
        if shape < least:
            shape, scale = least, excess.mean() * (1 - least)  # of the same mean
        return cls(threshold, float((ordered > threshold).mean()), float(scale), float(shape))

    def rate(self, value: float) -> float:
        """Share of the distribution that reaches a value of `threshold` or more."""
        excess = (value - self.threshold) / self.scale
        if self.shape < NO_SHAPE:
            return self.beyond * math.exp(-excess)
        return self.beyond * float((1 + self.shape * excess) ** (-1 / self.shape))

    def value(self, rate: float) -> float:
        """The value that a share of the distribution reaches, `beyond` at most."""
        decades = math.log(self.beyond / rate)
        if self.shape < NO_SHAPE:
            return self.threshold + self.scale * decades
        return self.threshold + self.scale / self.shape * math.expm1(self.shape * decades)
