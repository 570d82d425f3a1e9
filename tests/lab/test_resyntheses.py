"""What is made anew keeps its events where they were, in another waveform."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("pedalboard", reason="pip install -e '.[lab]'")
pytest.importorskip("tinysoundfont", reason="pip install --no-deps tinysoundfont==0.3.7")

from sound_font import needs_renderer

from lab import audit_material, resyntheses
from lab.alterations import SAMPLE_RATE, peak_one
from lab.spectrograms import griffin_lim, magnitude, single_pass

pytestmark = [
    needs_renderer,
    pytest.mark.skipif(importlib.util.find_spec("pyworld") is None, reason="pip install -e '.[lab]'"),
]
BOTH = {**resyntheses.CALIBRATION, **resyntheses.BENCHMARK}


@pytest.fixture(scope="module", autouse=True)
def little_to_learn_from() -> Iterator[None]:
    """The autoencoders of this module learn from a quarter of what they learn from otherwise."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resyntheses, "rendered", fewer)
        yield


def fewer(name: str, families: int, takes: int, seconds: float) -> list[audit_material.Specimen]:
    return list(audit_material.rendered(name, families // 4, takes, seconds))


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    """Plucked notes with overtones and a noise at each attack, at uneven times; 2.5 s."""
    rng, time = np.random.default_rng(0), np.arange(round(0.5 * SAMPLE_RATE)) / SAMPLE_RATE
    made = np.zeros(round(2.5 * SAMPLE_RATE))
    for start, pitch in ((0.1, 220), (0.35, 330), (0.8, 262), (1.0, 440), (1.3, 196), (1.75, 294)):
        note = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 8)) * np.exp(-9 * time)
        attack = rng.standard_normal(len(time)) * np.exp(-80 * time)
        at = round(start * SAMPLE_RATE)
        made[at : at + len(time)] += (note + 0.3 * attack) * (1 - 2 * time)
    return peak_one(made)


@pytest.mark.parametrize("name", BOTH)
def test_events_stay_and_the_waveform_does_not(name: str, sound: np.ndarray) -> None:
    made = BOTH[name](sound, rng=np.random.default_rng(1))
    assert made.dtype == np.float32
    assert made.shape == sound.shape
    assert np.abs(made).max() == pytest.approx(1, abs=0.01)
    assert 0.6 < resyntheses.kept(sound, made) < 0.99
    coherence = abs(float(np.corrcoef(sound, made)[0, 1]))
    assert coherence < 0.95
    assert np.array_equal(made, BOTH[name](sound, rng=np.random.default_rng(1)))


@pytest.mark.parametrize("name", BOTH)
def test_half_a_second_and_silence_come_through(name: str, sound: np.ndarray) -> None:
    for some in (sound[: SAMPLE_RATE // 2], np.zeros(SAMPLE_RATE // 2, np.float32)):
        made = BOTH[name](some, rng=np.random.default_rng(1))
        assert made.shape == some.shape
        assert np.isfinite(made).all()


def test_the_two_sets_share_no_method() -> None:
    def made_by(change: object) -> object:
        return getattr(change, "func", change)

    assert not set(resyntheses.CALIBRATION) & set(resyntheses.BENCHMARK)
    calibration, benchmark = (
        set(map(made_by, some.values())) for some in (resyntheses.CALIBRATION, resyntheses.BENCHMARK)
    )
    assert not calibration & benchmark


def test_onsets_of_events(sound: np.ndarray) -> None:
    onsets = resyntheses.event_onsets(sound)
    assert onsets == pytest.approx([0.1, 0.35, 0.8, 1.0, 1.3, 1.75], abs=0.03)


@pytest.mark.parametrize("invert", ["griffin_lim", "single_pass"])
def test_a_steady_tone_keeps_its_pitch_without_its_phase(invert: str) -> None:
    tone = np.sin(2 * np.pi * 443.0 * np.arange(SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)
    values = magnitude(tone, 2048, 512)
    if invert == "griffin_lim":
        made = griffin_lim(values, 512, len(tone), np.random.default_rng(0))
    else:
        made = single_pass(values, 512, len(tone))
    middle = made[8000:-8000]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 2**18))
    assert np.argmax(spectrum) * SAMPLE_RATE / 2**18 == pytest.approx(443.0, abs=1.5)
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(np.sqrt(0.5), rel=0.15)
