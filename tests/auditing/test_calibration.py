"""From scores to rates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unheard.auditing import calibration
from unheard.auditing.evidence import EVIDENCES
from unheard.auditing.features import PERIOD


def test_rates_fall_as_scores_rise() -> None:
    bounds = calibration.default()
    for null in (bounds.joint, *bounds.kinds.values()):
        for tail in (null.unrelated, null.relatives):
            scores = np.linspace(tail.quantiles[0] - 1, 5 * tail.threshold + 60, 500)
            rates = np.array([tail.rate(score) for score in scores])
            assert rates[0] == 1
            assert (np.diff(rates) <= 1e-12).all()
            assert (rates > 0).all()
            assert tail.rate(tail.threshold - 1e-6) == pytest.approx(tail.rate(tail.threshold), abs=0.02)
            rank = tail.quantiles.index(tail.quantiles[50])  # scores may be alike, most of all zeros
            assert tail.rate(tail.quantiles[50]) == pytest.approx(1 - rank / 100 * (1 - tail.beyond))
    assert bounds.expected_false_alarms(3.0, 10**6) > bounds.expected_false_alarms(3.0, 10)


def test_every_kind_adds_to_the_likelihood_ratio_and_none_takes_away() -> None:
    bounds = calibration.default()
    assert bounds.likelihood_ratio({}) == bounds.nothing < 0
    assert {*bounds.weights} == {*bounds.kinds} == {*EVIDENCES}
    for kind in bounds.weights:
        ratios = [bounds.likelihood_ratio({kind: score}) for score in (0.0, 0.5, 5.0, 50.0, 500.0)]
        assert ratios == sorted(ratios)
        assert ratios[-1] > ratios[0]
    alone = [bounds.likelihood_ratio({kind: 20.0}) - bounds.nothing for kind in bounds.weights]
    together = bounds.likelihood_ratio(dict.fromkeys(bounds.weights, 20.0)) - bounds.nothing
    assert together == pytest.approx(sum(alone))


@given(st.lists(st.floats(0, 1e3), min_size=4, max_size=4), st.integers(1, 4))
def test_a_kind_may_stand_alone(scores: list[float], together: int) -> None:
    bounds = calibration.default()
    said = dict(zip(bounds.kinds, scores, strict=True))
    rarity = {kind: -np.log10(bounds.kinds[kind].false_alarm_rate(score)) for kind, score in said.items()}
    expected = max(bounds.likelihood_ratio(said, together), max(rarity.values()) - calibration.ALONE)
    assert bounds.score(said, together) == pytest.approx(expected)
    for kind in said:
        assert bounds.score(said | {kind: said[kind] + 1.0}, together) >= bounds.score(said, together)


def test_nothing_found_speaks_against_a_copy() -> None:
    assert calibration.default().score({}) == pytest.approx(-2, abs=0.3)


def test_kinds_that_find_one_place_add_and_the_more_the_more() -> None:
    bounds = replace(calibration.default(), same_place=(0.5, 1.25))
    ratios = [bounds.likelihood_ratio({}, agreeing) - bounds.nothing for agreeing in range(1, 5)]
    assert ratios == pytest.approx([0, 0.5, 1.25, 1.25])
    assert replace(bounds, same_place=()).likelihood_ratio({}, 3) == bounds.nothing
    assert list(calibration.default().same_place) == sorted(calibration.default().same_place)


def test_a_strength_is_read_against_the_room_for_chance() -> None:
    bounds = replace(calibration.default(), growth=0.5)

    def score(seconds: float) -> float:
        return bounds.alignment_score(3.0, seconds / PERIOD)

    assert score(10) == pytest.approx(3.0)
    assert score(40) == pytest.approx(1.5)
    assert score(1) == score(4) > score(5)
