"""Metrics are exact where the answer is known, and agree with fadtk's and kadtk's own code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import pdist

from unheard.errors import InputError
from unheard.evaluation import bootstrap
from unheard.evaluation.metrics import memory
from unheard.evaluation.metrics.diversity import mean_pairwise_distance
from unheard.evaluation.metrics.frechet import frechet_audio_distance
from unheard.evaluation.metrics.kernel import kernel_audio_distance, kernel_audio_distances, median_distance
from unheard.evaluation.metrics.similarity import replication_similarity, to_nearest

CASES = json.loads((Path(__file__).parents[1] / "fixtures" / "distances.json").read_text())


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_fadtk_and_kadtk_say_the_same(case: dict) -> None:
    sounds, reference = np.array(case["sounds"]), np.array(case["reference"])
    # Where there are fewer sounds than dimensions the product is singular, and fadtk itself loses digits.
    assert frechet_audio_distance(sounds, reference) == pytest.approx(case["fad"], rel=1e-5)
    # kadtk takes the median in float32.
    assert kernel_audio_distance(sounds, reference) == pytest.approx(case["kad"], rel=1e-5)


def test_frechet_of_equal_sets_is_zero_and_of_shifted_ones_the_squared_shift() -> None:
    sounds, shift = normal(0, 50, 16), normal(1, 16)
    assert frechet_audio_distance(sounds, sounds) == pytest.approx(0, abs=1e-12)
    assert frechet_audio_distance(sounds + shift, sounds) == pytest.approx(shift @ shift, rel=1e-12)
    assert frechet_audio_distance(normal(2, 5, 64), normal(2, 5, 64)) == pytest.approx(0, abs=1e-12)


def test_frechet_of_scaled_gaussians_is_the_closed_form() -> None:
    sounds = normal(0, 40, 6)
    centred = sounds - sounds.mean(axis=0)
    expected = (3 - 1) ** 2 * np.trace(np.cov(centred, rowvar=False))
    assert frechet_audio_distance(3 * centred, centred) == pytest.approx(expected, rel=1e-12)


def test_kernel_distance_of_shifted_gaussians_is_the_closed_form_on_the_mean() -> None:
    width, dimension, shift = 3.0, 4, 1.5
    spread = width**2 + 2
    expected = 200 * (width**2 / spread) ** (dimension / 2) * (1 - np.exp(-(shift**2) / (2 * spread)))
    moved = shift * np.eye(dimension)[0]
    found = [
        kernel_audio_distance(normal(2 * i, 30, 4) + moved, normal(2 * i + 1, 30, 4), bandwidth=width)
        for i in range(400)
    ]
    assert abs(np.mean(found) - expected) < 4 * stats.sem(found)
    unmoved = [
        kernel_audio_distance(normal(2 * i, 30, 4), normal(2 * i + 1, 30, 4), bandwidth=width)
        for i in range(400)
    ]
    assert abs(np.mean(unmoved)) < 4 * stats.sem(unmoved)


def test_kernel_distances_of_draws_are_those_of_the_copies_drawn() -> None:
    sounds, reference, groups = normal(0, 9, 4), normal(1, 9, 4), np.array([0, 0, 1, 1, 1, 2, 2, 2, 3])
    drawn = np.array([[1, 1, 1, 1], [0, 1, 1, 2], [2, 0, 2, 0], [0, 3, 1, 0], [0, 4, 0, 0], [0, 0, 0, 4]])
    found = kernel_audio_distances(sounds, reference, groups, drawn)
    assert found[0] == pytest.approx(kernel_audio_distance(sounds, reference))
    width = median_distance(reference)

    def mean_kernel(pairs: list[tuple[np.ndarray, np.ndarray]]) -> float:
        return float(np.mean([np.exp(-((a - b) @ (a - b)) / (2 * width**2)) for a, b in pairs]))

    known = mean_kernel([(a, b) for i, a in enumerate(reference) for j, b in enumerate(reference) if i != j])
    for draw, distance in list(zip(drawn, found, strict=True))[1:5]:
        there = [(group, copy, sound) for sound, group in enumerate(groups) for copy in range(draw[group])]
        own = [
            (sounds[sound], sounds[other])
            for group, copy, sound in there
            for others_group, others_copy, other in there
            if group != others_group or (copy == others_copy and sound != other)
        ]
        between = mean_kernel([(sounds[sound], each) for _, _, sound in there for each in reference])
        assert distance == pytest.approx(100 * (mean_kernel(own) + known - 2 * between))
    assert np.isnan(found[5])


def test_kernel_distances_of_draws_lie_around_the_value_though_seeds_of_a_prompt_are_alike() -> None:
    groups, drawn = np.repeat(np.arange(12), 8), bootstrap.draws(12, count=1000)
    reference = normal(99, 60, 6) * np.sqrt(2)
    for world in range(10):
        sounds = 1.3 * normal(2 * world, 12, 6)[groups] + 0.5 * normal(2 * world + 1, 96, 6)
        value = kernel_audio_distance(sounds, reference)
        found = kernel_audio_distances(sounds, reference, groups, drawn)
        # What is left of bias is that pairs within a prompt weigh n / (n - 1) for n prompts.
        assert abs(found.mean() - value) < 0.25 * found.std()
        interval = bootstrap.around(value, found, 12)
        assert interval.low is not None
        assert interval.high is not None
        assert interval.low < value < interval.high


@settings(max_examples=20, deadline=None)
@given(count=st.integers(2, 9), seed=st.integers(0, 99))
def test_medians_and_pairs_against_scipy(count: int, seed: int) -> None:
    points = normal(seed, count, 3)
    assert median_distance(points) == pytest.approx(np.sort(pdist(points))[(len(pdist(points)) - 1) // 2])
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    assert mean_pairwise_distance(unit) == pytest.approx(pdist(unit, "cosine").mean())


def test_what_cannot_be_measured_is_no_number() -> None:
    assert mean_pairwise_distance(normal(0, 1, 4)) is None
    assert np.isnan(to_nearest(normal(0, 2, 4), np.empty((0, 4)))[0]).all()
    both = replication_similarity(np.array([0.5, np.nan, np.nan]), np.array([0.2, 0.3, np.nan]))
    np.testing.assert_equal(both, [0.5, 0.3, np.nan])
    nothing = bootstrap.mean(np.array([np.nan, np.nan]), bootstrap.draws(2))
    assert (nothing.value, nothing.low, nothing.prompts) == (None, None, 0)
    with pytest.raises(InputError, match="two or more"):
        frechet_audio_distance(normal(0, 1, 4), normal(0, 5, 4))
    with pytest.raises(InputError, match="one sound"):
        kernel_audio_distance(normal(0, 5, 4), np.ones((5, 4)))


def test_the_bootstrap_is_scipys() -> None:
    values = np.random.default_rng(0).exponential(size=40)
    ours = bootstrap.mean(values, bootstrap.draws(40))
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert ours.value == pytest.approx(values.mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)


def test_peak_memory_forgets_what_was_held_before() -> None:
    cpu = torch.device("cpu")
    if not memory.reset_peak(cpu):
        pytest.skip("this system does not reset the high-water mark")
    before = memory.peak(cpu)
    held = np.ones(40_000_000)
    at_most = memory.peak(cpu)
    assert before is not None
    assert at_most is not None
    assert at_most > before + held.nbytes / 2
    del held
    assert memory.reset_peak(cpu)
    later = memory.peak(cpu)
    assert later is not None
    assert later < at_most - 100_000_000
