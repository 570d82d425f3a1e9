"""From what ordinary captions reach to a threshold at a stated rate of false alarms."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from unheard.common.intervals import CONFIDENCE, clopper_pearson
from unheard.common.pareto_tail import ParetoTail
from unheard.generation.calibration.record import Separation, Threshold

TAIL = 0.9
"""Share of the ordinary captions below the value from which the tail is fitted."""
ENOUGH = 20
"""Values beyond it from which on a tail is fitted."""


def threshold_of(null: Sequence[float], false_alarms: float) -> Threshold:
    """The value that ordinary captions exceed at a rate, with its interval.

    By the generalised Pareto tail where there are enough captions, else by the order statistic: the lowest
    value that at most so many of them exceed. The interval is that of order statistics, which holds for any
    distribution (David and Nagaraja 2003, Order Statistics, chapter 7.1); what the sample does not bound is
    None.

    Args:
        null: the largest value of each ordinary caption.
        false_alarms: share of ordinary captions that may exceed the threshold, above 0 and below 1.
    """
    from scipy.stats import binom

    ordered = np.sort(null)
    count = len(ordered)
    allowed = math.floor(count * false_alarms + 1e-9)
    value, by = float(ordered[count - 1 - allowed]), "order statistic"
    if false_alarms < 1 - TAIL and (ordered > np.quantile(ordered, TAIL)).sum() >= ENOUGH:
        value, by = ParetoTail.fit(ordered, TAIL).value(false_alarms), "tail"
    low, high = (int(rank) for rank in binom.ppf([0.025, 0.975], count, 1 - false_alarms))
    above = int((ordered > value).sum())
    rate_low, rate_high = clopper_pearson(above, count)
    return Threshold(
        value=value,
        rate=false_alarms,
        by=by,
        low=float(ordered[low - 1]) if low > 0 else None,
        high=float(ordered[high]) if high < count else None,
        captions=count,
        above=above,
        rate_low=rate_low,
        rate_high=rate_high,
    )


def least_rate(captions: int) -> float:
    """The lowest rate of false alarms that so many captions can show, at 95 %: if none of them is one."""
    return float(1 - (1 - CONFIDENCE) ** (1 / captions))


def separation_of(suspected: Sequence[float], null: Sequence[float], threshold: float) -> Separation:
    """How far suspected captions stand out of ordinary ones.

    They separate where more of them exceed the threshold than its false alarms explain: where the lower bound
    of their share is above the upper bound of that of the ordinary ones.
    """
    above = sum(value > threshold for value in suspected)
    low, high = clopper_pearson(above, len(suspected))
    _, ordinary = clopper_pearson(sum(value > threshold for value in null), len(null))
    differences = np.subtract.outer(np.asarray(suspected), np.asarray(null))
    area = float(((differences > 0) + 0.5 * (differences == 0)).mean())
    return Separation(len(suspected), above, low, high, area, separates=low > ordinary)
