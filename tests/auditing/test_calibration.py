"""From scores to rates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from unheard.auditing import calibration
from unheard.auditing.features import PERIOD


def test_rates_fall_as_scores_rise() -> None:
    bounds = calibration.default()
    scores = np.linspace(0, 60, 500)
    for tail in (bounds.unrelated, bounds.relatives):
        rates = np.array([tail.rate(score) for score in scores])
        assert rates[0] == 1
        assert (np.diff(rates) <= 1e-12).all()
        assert (rates > 0).all()
        assert tail.rate(tail.threshold - 1e-6) == pytest.approx(tail.rate(tail.threshold), abs=0.02)
        assert tail.rate(tail.quantiles[50]) == pytest.approx(1 - 0.5 * (1 - tail.beyond), abs=0.02)
    assert bounds.expected_false_alarms(8.0, 10**6) > bounds.expected_false_alarms(8.0, 10)


def test_a_strength_is_read_against_the_room_for_chance() -> None:
    bounds = replace(calibration.default(), growth=0.5)

    def score(seconds: float) -> float:
        return bounds.score(3.0, seconds / PERIOD)

    assert score(10) == pytest.approx(3.0)
    assert score(40) == pytest.approx(1.5)
    assert score(1) == score(4) > score(5)
