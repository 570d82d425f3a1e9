"""Moments in common: heard again at their lag, and read out as the definition says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from unheard.auditing.envelopes import BANDS
from unheard.auditing.evidence import EVIDENCES, CopiedMoments, Finding
from unheard.auditing.evidence.base import agreeing, passage
from unheard.auditing.evidence.joint import Joint
from unheard.auditing.features import HOP, SAMPLE_RATE, Signal
from unheard.auditing.moment_network import NUMBERS, trained
from unheard.auditing.moments import best_passage, log_ratios, moments


def strokes(seed: int) -> Tensor:
    """3 s of decaying bursts of noise, each in a band of its own, at irregular times."""
    rng = np.random.default_rng(seed)
    sound = torch.zeros(3 * SAMPLE_RATE)
    for start in np.cumsum(rng.integers(1_500, 6_000, 10)):
        spectrum = torch.fft.rfft(torch.from_numpy(rng.standard_normal(4_000).astype(np.float32)))
        low = int(rng.integers(0, 1_000))
        spectrum[:low], spectrum[low + 200 :] = 0, 0
        burst = torch.fft.irfft(spectrum, 4_000) * torch.linspace(0, -7, 4_000).exp()
        end = min(len(sound), int(start) + 4_000)
        sound[int(start) : end] += burst[: max(0, end - int(start))]
    return sound


def noisy(sound: Tensor) -> Tensor:
    return sound + 0.03 * sound.std() * torch.randn(len(sound), generator=torch.Generator().manual_seed(0))


def heard(sound: Tensor) -> Tensor:
    return CopiedMoments().features(Signal(sound[None], SAMPLE_RATE))


def at(lag: int, frames: int = 100) -> Finding:
    """What a kind finds whose passage lies so much later in the part."""
    first = max(0, -lag)
    return Finding(1.0, first, frames, first + lag, frames + lag, lambda: passage(frames, first, frames))


def test_moments_are_unit_vectors_and_how_much_they_say() -> None:
    found = heard(strokes(0))
    assert found.shape == (len(Signal(strokes(0)[None], SAMPLE_RATE).features), NUMBERS + 1)
    torch.testing.assert_close(found[:, :NUMBERS].norm(dim=1), torch.ones(len(found)))
    assert (found[:, NUMBERS] >= 0).all()
    assert (found[:, NUMBERS] <= 2).all()


def test_the_weights_are_read_when_a_sound_is_heard_and_not_before() -> None:
    trained.cache_clear()
    Joint([kind() for kind in EVIDENCES.values()])
    assert trained.cache_info().currsize == 0
    heard(strokes(0))
    assert trained.cache_info().currsize == 1


def test_a_long_sound_is_heard_in_blocks_as_if_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    decibels = 20 * torch.randn(200, BANDS, generator=torch.Generator().manual_seed(0))
    at_once = moments(decibels)
    for block in (1, 33, 199):
        monkeypatch.setattr("unheard.auditing.moments.BLOCK", block)
        torch.testing.assert_close(moments(decibels), at_once)


def test_a_shifted_copy_is_found_at_its_lag_and_another_sound_hardly() -> None:
    late, original = 12, strokes(0)
    copy = torch.cat([torch.zeros(late * HOP), noisy(original)])
    finding = CopiedMoments().compare(heard(copy), heard(original), {"regenerated copies": at(-late)})
    assert finding is not None
    assert finding.score > 50
    assert finding.lags == (-late, -late)
    marks = finding.covers()
    assert marks.shape == (len(heard(copy)),)
    assert np.flatnonzero(marks)[[0, -1]].tolist() == [finding.start, finding.end - 1]
    sounding = heard(copy)[:, NUMBERS].numpy() > 0
    assert marks[sounding].mean() > 0.8
    other = CopiedMoments().compare(heard(copy), heard(strokes(1)), {"regenerated copies": at(-late)})
    assert other is None or other.score < finding.score / 10


@pytest.mark.parametrize(("found", "told"), [
    ({}, False),
    ({"regenerated copies": at(0)}, False),
    ({"layered copies": at(-12)}, False),
    ({"altered copies": at(0), "regenerated copies": at(-10)}, True),
    ({"altered copies": at(-12)}, True),
    ({"altered copies": replace(at(-12), reference_end=60)}, True),  # it ends elsewhere
    ({"altered copies": replace(at(-12), reference_start=30)}, True),  # it begins elsewhere
])  # fmt: skip
def test_it_follows_the_alignment_and_the_envelopes(found: dict[str, Finding], told: bool) -> None:
    copy = torch.cat([torch.zeros(12 * HOP), noisy(strokes(0))])
    finding = CopiedMoments().compare(heard(copy), heard(strokes(0)), found)
    assert (finding is not None) == told


def test_its_place_is_not_counted_beside_those_it_follows() -> None:
    own = at(-12)
    finding = CopiedMoments().compare(heard(strokes(0)), heard(strokes(0)), {"altered copies": at(0)})
    assert finding is not None
    assert agreeing([at(0), finding]) == 1
    assert agreeing([at(0), at(0), finding, own]) == 2


def test_silence_says_nothing_and_a_short_sound_is_not_read() -> None:
    assert moments(torch.zeros(0, BANDS)).shape == (0, NUMBERS + 1)
    empty = torch.zeros(0, NUMBERS + 1)
    assert CopiedMoments().compare(heard(strokes(0)), empty, {"altered copies": at(0)}) is None
    quiet = moments(torch.cat([torch.zeros(1, BANDS), torch.full((60, BANDS), -120.0)]))
    assert quiet[0, NUMBERS] > 0
    assert not quiet[1:, NUMBERS].any()
    ratios = log_ratios(quiet, quiet)
    assert not ratios[1:, 1:].any()
    assert (ratios[0, 1:] == -2).all(), "one of them sounds"


def by_hand(table: np.ndarray, lag: int | None, known: list[int]) -> float:
    """The read-out's definition, every stretch of every lag added up; 0 for nothing."""
    frames, others = table.shape
    sums = {}
    for at_lag in range(1 - frames, others):
        line = np.diagonal(table, at_lag)
        stretches = [line[a:b].sum() for a in range(len(line)) for b in range(a + 1, len(line) + 1)]
        sums[at_lag] = max(0.0, *stretches)
    own = max(sums, key=lambda some: sums[some])
    if sums[own] == 0 or all(abs(own - some) > 4 for some in known):
        return 0.0
    places = {own: 0.7 * sums[own]}
    if lag is not None:
        near = range(max(12 - frames, lag - 4), min(others - 12, lag + 4) + 1)
        places |= {some: sums[some] for some in near if sums[some] >= places.get(some, 0)}
    best = max(places, key=lambda some: places[some])
    return max(0.0, places[best] - max((s for some, s in sums.items() if abs(some - best) > 8), default=0.0))


@settings(max_examples=15, deadline=None)
@given(
    table=st.integers(12, 15).flatmap(
        lambda frames: st.integers(12, 15).flatmap(
            lambda others: arrays(np.float32, (frames, others), elements=st.floats(-3, 6, width=16))
        )
    ),
    lag=st.none() | st.integers(-12, 12),
    more=st.lists(st.integers(-12, 12), max_size=2),
)
def test_the_read_out_is_its_definition(table: np.ndarray, lag: int | None, more: list[int]) -> None:
    known = more if lag is None else [lag, *more]
    found = best_passage(table, lag, known)
    assert (0.0 if found is None else found.excess) == pytest.approx(by_hand(table, lag, known), abs=1e-3)
    if found is not None:
        line = np.diagonal(table, found.lag)
        first = max(0, -found.lag)
        inside = line[found.start - first : found.end - first]
        stretches = [line[a:b].sum() for a in range(len(line)) for b in range(a + 1, len(line) + 1)]
        assert inside.sum() == pytest.approx(max(stretches), abs=1e-3)
