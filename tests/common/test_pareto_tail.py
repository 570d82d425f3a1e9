"""The end of a distribution, fitted to a sample."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import genpareto

from unheard.common.pareto_tail import ParetoTail


@pytest.mark.parametrize("shape", [0.0, 1e-9, 0.2, 0.7])
def test_rates_are_those_of_the_distribution_and_values_are_the_way_back(shape: float) -> None:
    tail = ParetoTail(threshold=2.0, beyond=0.1, scale=0.5, shape=shape)
    for value in (2.0, 2.5, 4.0):
        assert tail.rate(value) == pytest.approx(0.1 * genpareto.sf(value - 2.0, shape, scale=0.5), rel=1e-6)
    for rate in (0.1, 0.01, 1e-4):
        assert tail.rate(tail.value(rate)) == pytest.approx(rate)


def test_a_fit_finds_the_quantiles_of_what_was_drawn() -> None:
    drawn = np.random.default_rng(0).exponential(size=4000)
    tail = ParetoTail.fit(drawn, 0.9)
    assert tail.beyond == pytest.approx(0.1)
    assert tail.value(0.01) == pytest.approx(np.log(100), rel=0.05)


def test_a_tail_that_ends_is_not_believed() -> None:
    drawn = np.random.default_rng(0).uniform(size=400)
    tail = ParetoTail.fit(drawn, 0.9)
    assert tail.shape == pytest.approx(40**-0.5)
    assert tail.rate(1.1) > 0
