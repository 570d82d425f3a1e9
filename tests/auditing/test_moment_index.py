"""Which references have moments in common with a sound, against comparing it with each of them."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from melodies import RATE, melody

from unheard.auditing import moment_index
from unheard.auditing.features import Signal
from unheard.auditing.moment_index import APART, SLACK, MomentIndex, _among_first, sparse, weightiest
from unheard.auditing.moment_network import NUMBERS, trained
from unheard.auditing.moments import of_signal

WHOLE = 1 << 30


def heard(seed: int) -> torch.Tensor:
    return Signal(melody(seed), RATE).once(of_signal)


def whole(references: int) -> np.ndarray:
    """One part for each reference."""
    numbers = np.arange(references)
    return np.stack([numbers, np.zeros_like(numbers), np.full_like(numbers, WHOLE)], axis=1)


def drawn(rng: np.random.Generator, frames: int) -> torch.Tensor:
    """Moments of few kinds, so that many are alike by chance."""
    kinds = torch.nn.functional.normalize(torch.from_numpy(rng.standard_normal((5, NUMBERS))).float())
    vectors = kinds[torch.from_numpy(rng.integers(0, 5, frames))]
    says = torch.from_numpy(rng.uniform(0, 2, (frames, 1)) * (rng.random((frames, 1)) < 0.8)).float()
    return torch.cat([vectors, says], dim=1)


def votes(sound: torch.Tensor, other: torch.Tensor) -> float:
    """The most that any lag has, from every pair of a frame and a moment that is kept, one by one."""
    slope, offset = trained().line.tolist()
    found: dict[int, float] = {}
    for frame in weightiest(other[:, NUMBERS], APART).tolist():
        for ours, moment in enumerate(sound):
            cosine = float(moment[:NUMBERS] @ other[frame, :NUMBERS])
            ratio = max(0.0, slope * cosine + offset) * float(moment[NUMBERS] * other[frame, NUMBERS])
            found[frame - ours] = found.get(frame - ours, 0.0) + ratio
    return max(
        sum(found.get(lag, 0.0) for lag in range(at - SLACK, at + SLACK + 1)) for at in range(-200, 200)
    )


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_parts_come_in_the_order_of_all_pairs_at_one_lag(seed: int) -> None:
    rng = np.random.default_rng(seed)
    references = [drawn(rng, int(rng.integers(30, 120))) for _ in range(5)]
    sound = drawn(rng, 40)
    expected = [votes(sound, some) for some in references]
    found = MomentIndex([sparse(some) for some in references], whole(5)).nearest(sound, 5)
    rounding = 0.5  # vectors are kept in eight bits
    assert {number for number, some in enumerate(expected) if some > rounding} <= set(found)
    order = [expected[number] for number in found]
    assert order == pytest.approx(sorted(order, reverse=True), rel=0.05, abs=rounding)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=80), st.integers(1, 9), st.integers(0, 9) | st.none())
def test_what_says_most_is_taken_and_nothing_near_it(says: list[int], apart: int, most: int | None) -> None:
    weights = np.array(says)
    taken = weightiest(torch.tensor(says, dtype=torch.float), apart, most)
    assert (np.diff(taken) >= apart).all()
    assert (weights[taken] > 0).all()
    if most is not None:
        assert len(taken) <= most
        return
    for frame in np.flatnonzero(weights):  # what was not taken stands beside something as heavy
        near = taken[np.abs(taken - frame) < apart]
        assert weights[frame] <= weights[near].max(initial=0)


def test_a_part_of_a_sound_finds_its_reference() -> None:
    references = [heard(seed) for seed in range(8)]
    index = MomentIndex([sparse(some) for some in references], whole(8))
    assert index.nearest(heard(5)[60:160], 4)[0] == 5


def test_of_overlapping_parts_the_one_with_the_moments_is_found() -> None:
    long = torch.cat([heard(seed) for seed in range(30, 38)])
    frames = len(long)
    starts = np.arange(0, frames - 400, 200)
    parts = np.stack([np.zeros_like(starts), starts, starts + 400], axis=1)
    index = MomentIndex([sparse(long), sparse(heard(1))], np.concatenate([parts, [[1, 0, WHOLE]]]))
    at = 5 * len(heard(30))
    best = index.nearest(heard(35), 1)[0]
    assert starts[best] <= at + 40
    assert at + len(heard(35)) - 40 <= starts[best] + 400


def test_a_long_reference_leaves_places_for_others() -> None:
    """A loop of an hour is alike in all its parts; what lies beside it in the sound is found all the same."""
    loop = heard(9)
    long = torch.cat([loop] * 60)
    starts = np.arange(0, len(long) - 1000, 480)
    assert len(starts) > 2 * moment_index.OF_ONE
    parts = np.stack([np.zeros_like(starts), starts, starts + 1000], axis=1)
    others = whole(6)[1:]
    index = MomentIndex(
        [sparse(long), *(sparse(heard(seed)) for seed in range(1, 6))], np.concatenate([parts, others])
    )
    sound = torch.cat([loop, heard(3)[:120]])
    found = index.references[index.nearest(sound, 2)].tolist()
    assert found == [0, 3]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=20), st.integers(1, 3))
def test_no_number_is_taken_more_often(numbers: list[int], most: int) -> None:
    taken = _among_first(most, np.array(numbers, int))
    expected = [numbers[:at].count(number) < most for at, number in enumerate(numbers)]
    assert taken.tolist() == expected


def test_among_many_references_it_is_still_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are more than a shortlist, what is usual does not count."""
    monkeypatch.setattr(moment_index, "SHORTLIST", 3)
    references = [heard(seed) for seed in range(12)]
    index = MomentIndex([sparse(some) for some in references], whole(12))
    assert [index.nearest(heard(seed), 1) for seed in (2, 7, 11)] == [[2], [7], [11]]


def many_times(times: int, monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """Recordings, the last of which is there so many times, in a catalogue where the usual is taken off."""
    monkeypatch.setattr(moment_index, "SHORTLIST", 8)
    return [heard(seed) for seed in range(12)] + [heard(40)] * times


def test_a_recording_that_is_there_often_is_not_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    references = many_times(4, monkeypatch)
    found = MomentIndex([sparse(some) for some in references], whole(16)).nearest(heard(40)[60:160], 4)
    assert found == [12, 13, 14, 15]


def test_what_a_long_recording_repeats_is_not_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parts are half of the catalogue's."""
    *others, last = (sparse(some) for some in many_times(1, monkeypatch))
    frames = len(heard(40))
    vectors, at = last
    starts = frames * np.arange(12)
    looped = np.tile(vectors, (12, 1)), np.add.outer(starts, at).ravel().astype(np.int32)
    parts = np.stack([np.full_like(starts, 12), starts, starts + frames], axis=1)
    index = MomentIndex(
        [*others, (looped[0], looped[1].astype(np.int32))], np.concatenate([whole(12), parts])
    )
    assert index.nearest(heard(40)[60:160], 4)[0] >= 12


def test_an_index_takes_little_more_memory_than_its_moments() -> None:
    marks = np.ones((50_000, NUMBERS), np.int8), np.arange(50_000, dtype=np.int32)
    tracemalloc.start()
    try:
        index = MomentIndex([marks], np.array([[0, 0, WHOLE]]))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 5 * index.vectors.nbytes  # as float32 alone they are 4 times as large


def test_without_moments_nothing_is_near() -> None:
    silent = torch.zeros(50, NUMBERS + 1)
    some = heard(1)
    both = MomentIndex([sparse(silent), sparse(some)], whole(2))
    assert both.nearest(silent, 3) == []
    assert both.nearest(some[:0], 3) == []
    assert both.nearest(some, 3) == [1]
    assert MomentIndex([sparse(silent)], whole(1)).nearest(some, 3) == []


def test_little_is_kept_of_a_reference() -> None:
    moments = heard(1)
    vectors, at = sparse(moments)
    assert 0 < len(at) <= len(moments) / APART + 1
    assert vectors.dtype == np.int8
    assert vectors.shape == (len(at), NUMBERS)
