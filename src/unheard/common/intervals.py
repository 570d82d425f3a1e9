"""Intervals of a share that is counted in clusters, such as the sounds of one prompt.

The sounds of one prompt mostly turn out alike: ten copies of one prompt say less than ten copies of ten. So
a share has two intervals: of the clusters that have a hit, and of the trials, of which only as many count as
would say as much if each was on its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv, stdtrit

CONFIDENCE = 0.95


@dataclass(frozen=True)
class ClusteredShare:
    """How many of all trials are hits, and how many clusters have one; intervals are of `CONFIDENCE`.

    Attributes:
        hits, trials: counts over all clusters.
        value: their quotient, None of nothing.
        low, high: where the share may lie, if the clusters were drawn anew; 0 to 1 of nothing.
        effective: how many independent trials would say as much, at most `trials`.
        hit_clusters, clusters: those with at least one hit, and those with at least one trial.
        clusters_low, clusters_high: the exact interval of their quotient; 0 to 1 of nothing.
    """

    hits: int
    trials: int
    value: float | None
    low: float
    high: float
    effective: float
    hit_clusters: int
    clusters: int
    clusters_low: float
    clusters_high: float

    @classmethod
    def of(cls, counts: Iterable[tuple[int, int]]) -> ClusteredShare:
        """The share of hits and trials, a pair a cluster; clusters without trials count nowhere."""
        tried = [(hits, trials) for hits, trials in counts if trials]
        hits, trials = (sum(column) for column in zip(*tried, strict=True)) if tried else (0, 0)
        hit_clusters = sum(some > 0 for some, _ in tried)
        value = hits / trials if trials else None
        effective = effective_number(tried)
        low, high = clopper_pearson((value or 0.0) * effective, effective)
        of_clusters = clopper_pearson(hit_clusters, len(tried))
        return cls(hits, trials, value, low, high, effective, hit_clusters, len(tried), *of_clusters)


def clopper_pearson(hits: float, trials: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The exact interval of a share (Clopper and Pearson 1934, Biometrika 26, 404); 0 to 1 of no trials.

    Both numbers may be effective ones, which are not whole. Without a hit the upper bound of 95 % is
    1 - 0.025^(1/trials): of few trials a large share, which the rule of three (3/trials) is a rough form of.
    """
    tail = (1 - confidence) / 2
    low = float(betaincinv(hits, trials - hits + 1, tail)) if hits > 0 else 0.0
    high = float(betaincinv(hits + 1, trials - hits, 1 - tail)) if hits < trials else 1.0
    return low, high


def effective_number(counts: Iterable[tuple[int, int]]) -> float:
    """How many independent trials say as much as these do in their clusters, pairs of hits and trials.

    It is the number divided by the design effect: the variance of the share, taken from how the clusters
    differ (as of a ratio of sums), by that of as many independent trials. Few clusters know their own
    variance badly, which the quotient of Student's quantiles makes up for. Where all or none are hits,
    nothing shows how the clusters differ, and each counts as one trial.

    Korn and Graubard 1998, Survey Methodology 24, 193.
    """
    hits, trials = np.array([pair for pair in counts if pair[1]], np.float64).reshape(-1, 2).T
    clusters, number = len(trials), float(trials.sum())
    if clusters < 2:
        return float(clusters)
    share = hits.sum() / number
    if share in (0, 1):
        return float(clusters)
    variance = clusters / (clusters - 1) * float(((hits - share * trials) ** 2).sum()) / number**2
    if variance == 0:
        return number
    design_effect = variance / (share * (1 - share) / (number - 1))
    quantile = 0.5 + CONFIDENCE / 2
    correction = float(stdtrit(number - 1, quantile) / stdtrit(clusters - 1, quantile)) ** 2
    return float(min(number, number / design_effect * correction))
