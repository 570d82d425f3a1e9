"""One recording is known in any encoding; recordings that are merely alike are not taken for one."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pedalboard", reason="pip install -e '.[lab]'")

from lab.alterations import SAMPLE_RATE, recode
from lab.same_recording import RATE, SAME, highest_correlation, shared_passages

RNG = np.random.default_rng


def strokes(seed: int, seconds: float = 6.0, pitch: float = 300.0) -> np.ndarray:
    """Decaying tones at random times and random pitches near one another, with a breath of noise."""
    rng, time = RNG(seed), np.arange(round(0.4 * SAMPLE_RATE)) / SAMPLE_RATE
    sound = 0.01 * rng.standard_normal(round(seconds * SAMPLE_RATE))
    for start in np.sort(rng.uniform(0, seconds - 0.4, round(3 * seconds))):
        frequency, phase = pitch * 2 ** (rng.integers(12) / 12), rng.uniform(0, 2 * np.pi)
        at = round(start * SAMPLE_RATE)
        sound[at : at + len(time)] += np.sin(2 * np.pi * frequency * time + phase) * np.exp(-8 * time)
    return (sound / np.abs(sound).max()).astype(np.float32)


@pytest.mark.parametrize("harshness", [0.3, 0.9])
def test_an_excerpt_in_another_encoding_is_the_same_recording(harshness: float) -> None:
    whole = strokes(1, 12.0)
    excerpt = recode(whole[round(3.217 * SAMPLE_RATE) : round(9.5 * SAMPLE_RATE)], RNG(0), harshness)
    assert shared_passages([whole, strokes(2), -0.3 * excerpt], SAMPLE_RATE) == {(0, 2)}


def test_a_short_sound_is_found_whole_in_a_longer_one() -> None:
    short = strokes(3, 0.8)
    longer = strokes(4, 5.0, 500.0)
    longer[70_000 : 70_000 + len(short)] = short
    assert shared_passages([short, longer], SAMPLE_RATE) == {(0, 1)}


def test_the_same_notes_at_the_same_times_played_anew_are_another_recording() -> None:
    one, other = (0.02 * RNG(seed).standard_normal(4 * SAMPLE_RATE) for seed in (5, 6))
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    for second, pitch in enumerate((220.0, 330.0, 440.0, 275.0)):
        for sound, detuned in ((one, 1.0), (other, 1.01)):
            tone = np.sin(2 * np.pi * pitch * detuned * time) * np.exp(-4 * time)
            sound[second * SAMPLE_RATE : (second + 1) * SAMPLE_RATE] += tone
    assert shared_passages([one.astype(np.float32), other.astype(np.float32)], SAMPLE_RATE) == set()


def test_a_passage_of_a_second_is_shared_wherever_it_lies() -> None:
    one, other = (strokes(seed, 3.0)[:: SAMPLE_RATE // RATE] for seed in (7, 8))
    together = other.copy()
    together[3_456 : 3_456 + 3 * RATE // 2] = -0.2 * one[6_000 : 6_000 + 3 * RATE // 2]
    assert highest_correlation(one, other, 1.0) < SAME <= highest_correlation(one, together, 1.0)
    assert highest_correlation(one[: RATE // 2], one, 1.0) == 0.0 < highest_correlation(one[:RATE], one, 1.0)


def test_the_shorter_sound_is_the_one_whose_passages_are_sought() -> None:
    longer, shorter = (strokes(*drawn)[:: SAMPLE_RATE // RATE] for drawn in ((7, 3.0), (8, 1.3)))
    # A passage that begins where none of the longer sound does.
    longer[1_234 : 1_234 + RATE] = shorter[:RATE]
    assert highest_correlation(longer, shorter, 1.0) == highest_correlation(shorter, longer, 1.0) > 0.99
