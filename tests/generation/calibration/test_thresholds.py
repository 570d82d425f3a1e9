"""From what ordinary captions reach to thresholds, and how far suspected ones stand out."""

from __future__ import annotations

import numpy as np
import pytest

from unheard.generation.calibration.thresholds import least_rate, separation_of, threshold_of

DRAWS = np.random.default_rng(7)


@pytest.mark.parametrize("count", [20, 57, 100, 180])
@pytest.mark.parametrize("rate", [0.001, 0.01, 0.05, 0.3])
def test_few_captions_no_more_exceed_it_than_were_asked_for(count: int, rate: float) -> None:
    null = DRAWS.normal(size=count)
    found = threshold_of(null, rate)
    assert found.by == "order statistic"
    assert found.above == sum(null > found.value) == int(count * rate)
    assert found.value in null  # the lowest such value


def test_of_many_captions_the_tail_is_taken_and_other_captions_keep_to_the_rate() -> None:
    values = DRAWS.exponential(size=(40, 200))
    found = [threshold_of(null, 0.01) for null in values]
    assert {each.by for each in found} == {"tail"}
    kept = np.mean([np.exp(-each.value) for each in found])  # the true rate of each
    assert 0.006 < kept < 0.014


def test_the_interval_holds_the_true_value_as_often_as_it_says() -> None:
    true = np.log(1 / 0.15)
    held = 0
    for null in DRAWS.exponential(size=(300, 200)):
        found = threshold_of(null, 0.15)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= true <= found.high
    assert held / 300 > 0.92


def test_what_a_sample_cannot_bound_is_not_bounded() -> None:
    found = threshold_of(DRAWS.normal(size=200), 0.01)
    assert found.high is None  # that all of 200 are below it has a chance of 13 %
    assert found.low is not None
    assert threshold_of(DRAWS.normal(size=600), 0.01).high is not None
    assert least_rate(200) == pytest.approx(0.0149, abs=1e-4)
    assert (1 - least_rate(200)) ** 200 == pytest.approx(0.05)


def test_equal_values_are_no_false_alarms() -> None:
    found = threshold_of([0.0] * 300, 0.01)
    assert (found.value, found.above) == (0.0, 0)


def test_the_area_is_the_share_of_pairs_in_the_right_order() -> None:
    suspected, null = [0.5, 0.9, 0.2], [0.1, 0.2, 0.3, 0.4]
    found = separation_of(suspected, null, 0.4)
    assert found.area == pytest.approx((4 + 4 + 1.5) / 12)
    assert (found.above, found.captions) == (2, 3)


def test_captions_separate_only_where_more_exceed_it_than_chance_explains() -> None:
    null = list(DRAWS.normal(size=200))
    threshold = threshold_of(null, 0.01).value
    assert separation_of([threshold + 1] * 6, null, threshold).separates
    assert not separation_of(null[:30], null, threshold).separates
    assert not separation_of([threshold + 1], null, threshold).separates  # one says nothing
