"""Fields that agree: the passage is found wherever it lies, and what says little counts little."""

from __future__ import annotations

import numpy as np
import pytest

from unheard.auditing.likeness.agreement import (
    LEAST,
    RATE,
    TOGETHER,
    agreement,
    best_line,
    strength,
    together,
)


def field(seed: int, frames: int = 300, values: int = 12) -> np.ndarray:
    """A random field [frames, values] whose values last for some frames."""
    steps = np.random.default_rng(seed).random((frames // 10 + 1, values), dtype=np.float32)
    return np.repeat(steps, 10, axis=0)[:frames]


def centred(some: np.ndarray) -> np.ndarray:
    without: np.ndarray = some - some.mean(axis=0)
    return without


@pytest.mark.parametrize("circle", [False, True])
def test_the_best_line_is_that_of_trying_all(circle: bool) -> None:
    first, second, least = centred(field(0, 40, 5)), centred(field(1, 60, 5)), 12
    tried = []
    for lag in range(least - len(first), len(second) - least + 1):
        start, end = max(0, -lag), min(len(first), len(second) - lag)
        for rotation in range(5) if circle else (0,):
            x = first[start:end]
            y = np.roll(second, -rotation, axis=1)[start + lag : end + lag]
            correlation = (x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum())
            tried.append((correlation * np.sqrt(end - start), lag, rotation))
    best = max(tried)
    found = best_line(first, second, least, circle)
    assert found.unusual == pytest.approx(best[0], rel=1e-4)
    assert (found.lag, found.rotation) == best[1:]


def test_a_field_agrees_with_itself_more_than_with_others() -> None:
    own = agreement(field(0), field(0), circle=True)
    assert own > 2 * max(agreement(field(0), field(seed), circle=True) for seed in range(1, 6))


def test_a_rotation_counts_on_a_circle_alone() -> None:
    first, rotated = field(0), np.roll(field(0), 5, axis=1)
    assert agreement(first, rotated, circle=True) == pytest.approx(
        agreement(first, first, circle=True), rel=1e-4
    )
    assert agreement(first, rotated) < 0.6 * agreement(first, first)


def test_a_passage_is_found_at_any_lag_and_at_another_tempo() -> None:
    passage = field(0, 240)
    host = np.concatenate([field(7, 120), passage, field(8, 120)])
    other = max(agreement(passage, field(seed, 480)) for seed in range(10, 15))
    assert agreement(passage, host) > 1.5 * other
    slower = passage[np.minimum(np.arange(250) * 0.96, 239).astype(int)]
    assert agreement(slower, host) > 1.3 * other


def test_the_order_and_the_level_do_not_matter() -> None:
    first, second = field(0), np.concatenate([field(3, 60), field(0, 240)])
    assert agreement(first, second) == pytest.approx(agreement(second, first), rel=0.05)
    assert agreement(3 * first + 1, second) == pytest.approx(agreement(first, second), rel=1e-3)


def test_what_repeats_says_less_than_what_does_not() -> None:
    """A pattern of four notes, over and over, is one pattern, however long it goes on."""
    cell = field(0, 40)
    repeated = np.tile(cell, (5, 1))
    assert strength(repeated, repeated) < 0.8 * strength(field(0, 200), field(0, 200))


def test_longer_and_closer_says_more() -> None:
    noise = np.random.default_rng(5).normal(0, 0.2, (200, 12))
    clean = field(0, 200)
    assert strength(clean, clean + noise) > strength(clean, clean + 2 * noise) > 0
    assert strength(clean, clean + noise) > strength(clean[:100], (clean + noise)[:100])
    assert strength(clean, -clean) == 0.0


def test_nothing_agrees_with_silence_or_in_too_short_a_time() -> None:
    short = round(LEAST * RATE * TOGETHER) - TOGETHER
    assert agreement(np.zeros((300, 12), np.float32), field(0)) == 0.0
    assert agreement(field(0), np.ones((300, 12), np.float32)) == 0.0
    assert agreement(field(0)[:short], field(0)) == 0.0
    assert agreement(field(0), field(0)[:0]) == 0.0


def test_frames_are_averaged_in_pairs() -> None:
    some = np.arange(10.0).reshape(5, 2)
    assert together(some).tolist() == [[1.0, 2.0], [5.0, 6.0]]
