"""The tune and the rhythm of one sound are heard in another that has nothing else of it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from phrases import RATE, phrase, strokes

from unheard.auditing.features import Signal
from unheard.auditing.likeness import LIKENESSES, UNUSUAL, Likeness, Rhythm, Tune
from unheard.auditing.likeness.null_distributions import default
from unheard.auditing.likeness.tune import CLASSES, folding


def score(kind: Likeness, one: torch.Tensor, other: torch.Tensor) -> float:
    return kind.compare(*(kind.features(Signal(sound, RATE)) for sound in (one, other)))


def chance(kind: Likeness, one: torch.Tensor, others: list[torch.Tensor]) -> float:
    return max(score(kind, one, other) for other in others)


def test_the_tune_on_another_instrument_in_another_key_and_tempo() -> None:
    tune, played = Tune(), phrase(0, "organ", up=3.0, slower=1.05)
    found = score(tune, played, phrase(0))
    assert found > 1.5 * chance(tune, played, [phrase(seed) for seed in range(1, 6)])
    assert tune.false_alarm_rate(found) < UNUSUAL


@pytest.mark.parametrize("up", [-12.0, 12.0, -5.5, 0.3])
def test_registers_and_tunings(up: float) -> None:
    tune = Tune()
    assert tune.false_alarm_rate(score(tune, phrase(2, "organ", up=up), phrase(2))) < UNUSUAL


def test_the_rhythm_on_another_drum_at_another_tempo() -> None:
    rhythm, played = Rhythm(), strokes(0, "thump", slower=0.95)
    found = score(rhythm, played, strokes(0))
    assert found > 1.3 * chance(rhythm, played, [strokes(seed) for seed in range(1, 6)])
    assert rhythm.false_alarm_rate(found) < UNUSUAL


def test_a_beat_on_every_quarter_is_shared_by_many() -> None:
    """However exactly two such beats agree, that is nothing unusual."""
    beats = []
    for drum, offset in (("click", 0), ("thump", 3000)):
        one = strokes(0, drum, seconds=0.15)[0, : RATE // 2]
        beats.append(torch.nn.functional.pad(one.repeat(18), (offset, 0))[None])
    rhythm = Rhythm()
    assert rhythm.false_alarm_rate(score(rhythm, *beats)) > UNUSUAL


def test_one_has_not_the_other() -> None:
    tune, rhythm = Tune(), Rhythm()
    for kind in (tune, rhythm):
        assert kind.false_alarm_rate(score(kind, phrase(0), phrase(1))) > UNUSUAL
        assert kind.false_alarm_rate(score(kind, strokes(0), phrase(1))) > UNUSUAL


@pytest.mark.parametrize("samples", [0, 100, 1000, 1500, 3000, 30_000])
@pytest.mark.parametrize("name", list(LIKENESSES))
def test_as_many_frames_as_the_signal_has(name: str, samples: int) -> None:
    kind = LIKENESSES[name]()
    signal = Signal(phrase(0)[:, :samples], RATE)
    features = kind.features(signal)
    assert len(features) == len(signal.features)
    assert features.isfinite().all()
    assert kind.compare(features, features) >= 0


@pytest.mark.parametrize("name", list(LIKENESSES))
def test_silence_is_like_nothing(name: str) -> None:
    kind = LIKENESSES[name]()
    assert score(kind, torch.zeros(1, 8 * RATE), phrase(0)) == 0.0
    assert score(kind, torch.zeros(1, 8 * RATE), torch.zeros(1, 8 * RATE)) == 0.0


@pytest.mark.parametrize("name", list(LIKENESSES))
def test_rates_fall_from_one_and_never_rise(name: str) -> None:
    kind = LIKENESSES[name]()
    rates = [kind.false_alarm_rate(score) for score in np.arange(0, 60, 0.1)]
    assert rates[0] == 1.0
    assert all(one >= other for one, other in itertools.pairwise(rates))
    assert 0 < rates[-1] < UNUSUAL / 10
    assert kind.calibration == {"name": default().name, **default().made_by}


def test_bands_an_octave_apart_are_one_pitch_class() -> None:
    matrix = folding()
    assert (matrix > 0).sum(dim=1).tolist() == [1] * len(matrix)
    assert torch.equal(matrix[:24].argmax(dim=1), torch.arange(24) // 2 % CLASSES)
    assert torch.equal(matrix[:120].argmax(dim=1), matrix[24:144].argmax(dim=1))
