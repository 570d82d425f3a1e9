"""Liveliness: of sounds whose events are known, and against ordinary ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unheard.auditing.liveliness import Activity, activity, liveliness, onsets
from unheard.errors import InputError

RATE = 16_000
SILENCE = Activity(0.0, 0, -100.0)


def hits(times: list[float], seconds: float = 4.0, decay: float = 0.04, rate: int = RATE) -> torch.Tensor:
    """Noise that is struck at some times and dies away, [1, time]."""
    noise = np.random.default_rng(0).standard_normal(round(seconds * rate))
    time = np.arange(len(noise)) / rate
    envelope = sum(np.where(time >= at, np.exp(-(time - at) / decay), 0) for at in times)
    return torch.from_numpy((noise * envelope * 0.2).astype(np.float32))[None]


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, 35), min_size=1, max_size=12, unique=True))
def test_every_stroke_is_an_onset(tenths: list[int]) -> None:
    times = sorted(tenth / 10 for tenth in tenths)
    found = onsets(hits(times))
    assert len(found) == len(times)
    np.testing.assert_allclose(found, times, atol=0.03)


def test_seconds_and_loudness_of_what_is_known() -> None:
    time = torch.arange(4 * RATE) / RATE
    tone = torch.sin(2 * torch.pi * 440 * time) * (time < 1.5)
    found = activity(tone[None], RATE)
    assert found.seconds == pytest.approx(1.5, abs=0.03)
    assert found.loudness == pytest.approx(
        10 * np.log10(0.5 * 1.5 / 4), abs=0.05
    )  # a sine's mean square is 1/2
    faint = torch.sin(2 * torch.pi * 440 * time) * torch.where(time < 1.5, 1.0, 0.02)  # 34 dB below
    assert activity(faint[None], RATE).seconds == pytest.approx(1.5, abs=0.03)


def test_seconds_as_a_loop_over_frames_has_them() -> None:
    sound = hits([0.3, 1.7, 1.9])[0].numpy().astype(np.float64)
    padded = np.concatenate([sound, np.zeros(400)])
    power = [np.mean(padded[start : start + 400] ** 2) for start in range(0, len(sound) + 1, 160)]
    expected = sum(10 * np.log10(each / max(power) + 1e-30) > -30 for each in power) * 0.01
    assert activity(torch.from_numpy(sound).float()[None], RATE).seconds == pytest.approx(expected, abs=0.011)


@settings(deadline=None, max_examples=15)
@given(st.floats(-60, 0), st.sampled_from([8_000, 16_000, 44_100, 48_000]))
def test_gain_channels_and_rate_change_nothing_that_is_heard(decibels: float, rate: int) -> None:
    sound = hits([0.5, 1.0, 2.5], rate=rate)
    plain, quiet = activity(sound, rate), activity(sound * 10 ** (decibels / 20), rate)
    assert (quiet.onsets, quiet.seconds) == (plain.onsets, pytest.approx(plain.seconds, abs=0.02))
    assert quiet.loudness == pytest.approx(plain.loudness, abs=0.01)
    assert activity(torch.cat([sound, -sound]), rate) == plain  # heard, though its mean is silence
    assert plain.onsets == 3


@pytest.mark.parametrize("sound", [torch.zeros(2, 8_000), torch.full((1, 8_000), 0.3), hits([0.5]) * 1e-6])
def test_nothing_happens_in_silence(sound: torch.Tensor) -> None:
    assert activity(sound, RATE) == SILENCE


ACTIVITIES = st.builds(Activity, st.floats(0.1, 10), st.integers(0, 50), st.floats(-40, -3))


@given(ACTIVITIES, st.lists(ACTIVITIES, min_size=1, max_size=9))
def test_what_holds_of_liveliness(sound: Activity, ordinary: list[Activity]) -> None:
    found = liveliness(sound, ordinary)
    assert found > 0
    assert liveliness(SILENCE, ordinary) == 0
    assert liveliness(sound, [sound] * 3) == pytest.approx(1)
    more = Activity(sound.seconds * 2, sound.onsets * 2 + 1, sound.loudness + 20 * np.log10(2))
    assert liveliness(more, ordinary) == pytest.approx(2 * found)


def test_liveliness_needs_something_to_be_as_lively_as() -> None:
    with pytest.raises(InputError, match="there are none"):
        liveliness(SILENCE, [])
    with pytest.raises(InputError, match="silent"):
        liveliness(SILENCE, [SILENCE])
