"""References that share landmarks with a sound, against comparing it with each of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from melodies import RATE, melody

from unheard.auditing import landmark_index
from unheard.auditing.features import Signal
from unheard.auditing.landmark_index import LONGEST, LandmarkIndex, sparse
from unheard.auditing.landmarks import SLACK, Landmarks, key, landmarks, peaks


def drawn(rng: np.random.Generator, count: int, length: int) -> Landmarks:
    """Landmarks of few kinds, so that many agree by chance."""
    keys = key(rng.integers(10, 14, count), rng.integers(10, 14, count), rng.integers(2, 8, count))
    order = np.argsort(keys, kind="stable")
    return Landmarks(keys[order], rng.integers(0, length, count)[order], length)


def rows(marks: Landmarks) -> np.ndarray:
    return np.stack([marks.keys, marks.columns]).astype(np.int32)


def surprise(sound: Landmarks, other: Landmarks) -> float:
    """How surely they share a passage, from every pair of landmarks, one by one."""
    slack = max(SLACK)
    lags: list[int] = []
    for ours, column in zip(sound.keys, sound.columns, strict=True):
        for theirs, later in zip(other.keys, other.columns, strict=True):
            parts = [(int(some) >> 17, int(some) >> 7 & 1023, int(some) & 127) for some in (ours, theirs)]
            low, high, between = (abs(one - two) for one, two in zip(*parts, strict=True))
            if low + high <= 1 and between <= slack:
                lags.append(int(later - column))
    votes = max((sum(abs(lag - at) <= slack for lag in lags) for at in range(-99, 99)), default=0)
    chance = max(len(SLACK) * len(lags) / (sound.length + other.length), 0.1)
    return votes * np.log(votes / chance) - (votes - chance) if votes > chance and votes >= 3 else 0.0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_the_surest_is_the_surest_of_all_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    references = [drawn(rng, 25, int(rng.integers(20, 60))) for _ in range(6)]
    sound = drawn(rng, 25, 40)
    index = LandmarkIndex(list(map(rows, references)), np.array([some.length for some in references]))
    expected = [surprise(sound, some) for some in references]
    found = index.nearest(sound, len(references))
    assert {number for number, _ in found} == {number for number, some in enumerate(expected) if some > 0}
    order = [expected[number] for number, _ in found]
    assert order == pytest.approx(sorted(order, reverse=True))


def test_it_says_where_the_sound_begins_in_the_reference() -> None:
    references = [Signal(melody(seed), RATE).mono for seed in range(4)]
    index = LandmarkIndex([sparse(some) for some in references], np.array([482] * 4))
    passage = references[2][32_000:]
    ((number, lag), *_) = index.nearest(landmarks(peaks(passage)), 4)
    assert number == 2
    assert lag == pytest.approx(2 * 80, abs=1)


def test_in_a_large_catalogue_the_commonest_landmarks_are_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    references = [sparse(Signal(melody(seed), RATE).mono) for seed in range(8)]
    index = LandmarkIndex(references, np.array([482] * 8))
    sound = landmarks(peaks(Signal(melody(5), RATE).mono))
    before = index.nearest(sound, 1)
    assert before[0][0] == 5
    every = len(index._hits(sound))
    monkeypatch.setattr(landmark_index, "MOST_HITS", every // 4)
    assert 0 < len(index._hits(sound)) <= every // 4
    assert index.nearest(sound, 1) == before


def test_little_is_kept_of_a_reference() -> None:
    mono = Signal(melody(1), RATE).mono
    assert 0 < sparse(mono).shape[1] <= 2 * 8 * 2 * len(mono) / 16_000 + 2 * 8
    assert len(landmarks(peaks(mono)).keys) > sparse(mono).shape[1]


def test_without_landmarks_nothing_is_near() -> None:
    none = Landmarks(np.zeros(0, int), np.zeros(0, int), 100)
    some = drawn(np.random.default_rng(0), 20, 50)
    assert LandmarkIndex([rows(some)], np.array([50])).nearest(none, 3) == []
    assert LandmarkIndex([rows(none)], np.array([100])).nearest(some, 3) == []


def test_a_sound_that_is_too_long_is_refused() -> None:
    some = drawn(np.random.default_rng(0), 20, 50)
    with pytest.raises(ValueError, match="the most"):
        LandmarkIndex([rows(some)], np.array([50])).nearest(
            drawn(np.random.default_rng(0), 9, LONGEST + 1), 1
        )
