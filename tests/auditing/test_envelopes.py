"""Coarse envelopes: the same events in another fine structure, and how much a likeness can say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from melodies import RATE, melody
from scipy.ndimage import uniform_filter1d

from unheard.auditing import envelopes
from unheard.auditing.features import PERIOD, Signal


def envelope(waveform: torch.Tensor, rate: int = RATE) -> np.ndarray:
    return envelopes.envelopes(Signal(waveform, rate).mono).numpy()


def strokes(seed: int, count: int, seconds: float = 4.0, carrier: int = 0) -> torch.Tensor:
    """Bursts of noise in random bands at random times; `carrier` draws another fine structure."""
    events = np.random.default_rng(seed)
    noise = np.random.default_rng((seed, carrier))
    sound = np.zeros(round((seconds + 1) * RATE))
    frequencies = np.fft.rfftfreq(round(0.8 * RATE), 1 / RATE)
    for onset in events.uniform(0, seconds - 0.5, count):
        centre = 2 ** events.uniform(7.5, 12.5)
        spectrum = np.fft.rfft(noise.standard_normal(round(0.8 * RATE)))
        burst = np.fft.irfft(spectrum * np.exp(-np.square(np.log2((frequencies + 1) / centre)) * 4))
        burst *= np.exp(-np.arange(len(burst)) / (events.uniform(0.03, 0.2) * RATE))
        start = round(onset * RATE)
        sound[start : start + len(burst)] += burst * events.uniform(0.3, 1)
    return torch.from_numpy(sound[: round(seconds * RATE)] / 10).float()[None]


def test_the_same_strokes_of_other_noise_are_found_where_they_are() -> None:
    again = envelopes.compare(envelope(strokes(1, 12)), envelope(strokes(1, 12, carrier=1)))
    other = envelopes.compare(envelope(strokes(1, 12)), envelope(strokes(2, 12)))
    assert again is not None
    assert again.correlation > 0.8
    assert abs(again.lag) <= 1
    assert again.end - again.start > 0.8 * 4.0 / PERIOD
    assert other is None or other.strength < again.strength / 5


def test_one_stroke_says_little_however_exact_the_likeness() -> None:
    """Its likeness to itself is less evidence than twelve strokes' to what a model made of them."""
    one = envelope(strokes(3, 1))
    itself = envelopes.compare(one, one)
    many = envelopes.compare(envelope(strokes(1, 12)), envelope(strokes(1, 12, carrier=1)))
    assert itself is not None
    assert many is not None
    assert itself.correlation > many.correlation
    assert itself.strength < many.strength / 2


def test_a_copy_elsewhere_counts_less_than_one_from_the_beginning() -> None:
    sound = strokes(5, 16)
    behind = torch.cat([0.3 * strokes(6, 12), sound], dim=1)
    there = envelopes.compare(envelope(behind), envelope(sound))
    here = envelopes.compare(envelope(sound), envelope(sound))
    assert there is not None
    assert here is not None
    assert there.lag == pytest.approx(-4.0 / PERIOD, abs=2)
    assert there.strength < here.strength


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(13, 60), st.integers(13, 60))
def test_whatever_is_compared_the_numbers_are_in_range(seed: int, frames: int, others: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = (rng.normal(-40, 15, (count, envelopes.BANDS)) for count in (frames, others))
    found = envelopes.compare(first, second)
    if found is None:
        return
    assert found.strength >= 0
    assert -1 <= found.correlation <= 1
    assert 0 <= found.start < found.end <= frames
    assert 0 <= found.start + found.lag < found.end + found.lag <= others


def test_independent_moments_of_noise_are_its_frames_and_blurring_leaves_fewer() -> None:
    """Bartlett's formula on fields whose answer is known: white noise, and its moving average."""
    noise = np.random.default_rng(0).standard_normal((400, 40))
    assert envelopes.independent_moments(noise) == pytest.approx(400, rel=0.1)
    width = 5
    blurred = np.apply_along_axis(np.convolve, 0, noise, np.ones(width) / width, "valid")
    # the squares of a triangle of half-width w, summed, are about 2/3 of w
    assert envelopes.independent_moments(blurred) == pytest.approx(400 / (2 / 3 * width), rel=0.2)


def test_correlations_of_independent_noise_are_within_their_scatter() -> None:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(300):
        first, second = rng.standard_normal((2, 30, 1))
        correlation = float(np.corrcoef(first[:, 0], second[:, 0])[0, 1])
        found.append(envelopes.strength(abs(correlation), 30))
    assert np.mean(np.array(found) < 2) > 0.95
    assert envelopes.strength(0.9, 1.0) == envelopes.strength(-0.9, 30) == 0


@pytest.mark.parametrize("sound", [torch.zeros(1, 2 * RATE), torch.zeros(1, 100), melody(1)[:, :2000]])
def test_silence_and_too_little_are_like_nothing(sound: torch.Tensor) -> None:
    found = envelopes.compare(envelope(sound), envelope(melody(1)))
    assert found is None or found.strength < 1


def test_local_levels_are_those_of_scipy() -> None:
    level = np.random.default_rng(0).uniform(0, 1, (300, envelopes.BANDS)).astype(np.float32)
    without = level - level.mean(axis=1, keepdims=True)
    around = uniform_filter1d(without, 2 * envelopes.WHILE + 1, axis=0, mode="nearest")
    assert envelopes._local(level) == pytest.approx(without - around, abs=1e-5)
