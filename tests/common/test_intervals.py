"""Intervals of shares in clusters: against scipy, by what has to hold, and how often they hold the share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from unheard.common.intervals import ClusteredShare, clopper_pearson, effective_number

COUNTS = st.integers(1, 200).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials)))
CLUSTERS = st.lists(
    st.integers(0, 12).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials))), max_size=20
)


@given(COUNTS)
def test_the_exact_interval_as_scipy_has_it(counts: tuple[int, int]) -> None:
    expected = binomtest(*counts).proportion_ci(0.95, method="exact")
    assert clopper_pearson(*counts) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_nothing_found_in_few_clusters_is_no_certainty() -> None:
    share = ClusteredShare.of([(0, 16)] * 9)
    assert (share.hits, share.trials, share.effective) == (0, 144, 9)
    assert (share.clusters_low, share.clusters_high) == (share.low, share.high)
    assert share.high == pytest.approx(1 - 0.025 ** (1 / 9))  # 34 %; the rule of three would say 33 %
    assert ClusteredShare.of([(16, 16)] * 9).low == pytest.approx(0.025 ** (1 / 9))


def test_nothing_at_all() -> None:
    share = ClusteredShare.of([(0, 0)])
    assert share == ClusteredShare(0, 0, None, 0.0, 1.0, 0.0, 0, 0, 0.0, 1.0)


@given(CLUSTERS)
def test_what_holds_of_all_counts(clusters: list[tuple[int, int]]) -> None:
    share = ClusteredShare.of(clusters)
    tried = [pair for pair in clusters if pair[1]]
    assert share.hits == sum(hits for hits, _ in tried)
    assert share.hit_clusters == sum(hits > 0 for hits, _ in tried)
    assert 0 <= share.effective <= share.trials
    if share.value is not None:
        assert 0 <= share.low <= share.value <= share.high <= 1
        assert 0 <= share.clusters_low <= share.hit_clusters / share.clusters <= share.clusters_high <= 1
    alone = clopper_pearson(share.hits, share.trials)
    assert share.high - share.low >= alone[1] - alone[0] - 1e-9
    mirrored = ClusteredShare.of([(trials - hits, trials) for hits, trials in clusters])
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((share.low, share.high), abs=1e-9)


@given(st.lists(st.booleans(), min_size=2, max_size=60))
def test_trials_that_are_each_a_cluster_count_fully(hits: list[bool]) -> None:
    assert effective_number([(hit, 1) for hit in hits]) == pytest.approx(len(hits))


def test_sounds_that_are_all_alike_count_as_one_a_cluster() -> None:
    """As of survey statistics by hand: n / design effect, times (t(n - 1) / t(clusters - 1))^2."""
    number = effective_number([(4, 4)] * 7 + [(0, 4)] * 2)
    share = 28 / 36
    variance = 9 / 8 * (7 * (4 - 4 * share) ** 2 + 2 * (4 * share) ** 2) / 36**2
    design_effect = variance / (share * (1 - share) / 35)
    assert number == pytest.approx(36 / design_effect * (2.030108 / 2.306004) ** 2, rel=1e-5)
    assert 6 < number < 9
    assert effective_number([(1, 4)] * 9) == 36  # and these differ no more than independent ones


@pytest.mark.parametrize("alike", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("share", [0.3, 0.6])
def test_the_interval_holds_the_share_of_clustered_draws(share: float, alike: float) -> None:
    """1,000 draws of 15 prompts with 8 sounds; prompts' own shares have the correlation `alike` within them.

    The interval of independent trials holds the share in about half of the draws where sounds are most alike.
    """
    random = np.random.default_rng(0)
    held, held_alone = 0, 0
    for _ in range(1_000):
        precision = 1 / alike - 1 if alike else np.inf
        of_prompts = random.beta(share * precision, (1 - share) * precision, 15) if alike else [share] * 15
        found = ClusteredShare.of((int(hits), 8) for hits in random.binomial(8, of_prompts))
        low, high = clopper_pearson(found.hits, found.trials)
        held += found.low <= share <= found.high
        held_alone += low <= share <= high
    assert held >= 930
    assert held_alone < 800 or not alike
