"""Intervals by the bootstrap over prompts (Efron 1979): prompts are drawn again, with all of their seeds.

The same draws serve every setting and metric, so that differences between settings stay paired.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DRAWS = 10_000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A measure over prompts, and where it may lie; None where it was not measured.

    Attributes:
        value: the mean, or another measure of the sounds of all prompts.
        low, high: its percentile interval of confidence `CONFIDENCE`; None for fewer than two prompts.
        prompts: how many were measured.
    """

    value: float | None
    low: float | None
    high: float | None
    prompts: int


def draws(prompts: int, *, count: int = DRAWS, seed: int = 0) -> np.ndarray:
    """How often each prompt is drawn, `[count, prompts]`; every row sums to `prompts`."""
    if not prompts:
        return np.zeros((count, 0))
    shares = np.full(prompts, 1 / prompts)
    return np.random.default_rng(seed).multinomial(prompts, shares, size=count).astype(np.float64)


def mean(values: np.ndarray, drawn: np.ndarray) -> Interval:
    """The mean of the prompts' values `[prompts]`; NaN is a prompt that was not measured."""
    values = np.asarray(values, np.float64)
    measured = np.isfinite(values)
    number = int(measured.sum())
    if not number:
        return Interval(None, None, None, 0)
    value = float(values[measured].mean())
    if number < 2:
        return Interval(value, None, None, number)
    sums = drawn @ np.where(measured, values, 0.0)
    weights = drawn @ measured.astype(np.float64)
    return around(value, sums[weights > 0] / weights[weights > 0], number)


def around(value: float, values_of_draws: np.ndarray, prompts: int) -> Interval:
    """The percentile interval of what was drawn, around a value; NaN is a draw that gives none."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.nanquantile(values_of_draws, [tail, 1 - tail])
    return Interval(value, float(low), float(high), prompts)
