"""The learned embedding finds what a sound shares with a recording; asked on request, loaded when asked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from melodies import RATE, melody
from torch import Tensor

from unheard.auditing import audit
from unheard.auditing.evidence import EVIDENCES, register
from unheard.auditing.evidence.learned_embedding import (
    LEAST,
    SIZE,
    SPACING,
    LearnedEmbedding,
    along_diagonals,
    at_frames,
    centred,
    densest,
)
from unheard.auditing.features import PERIOD, Signal
from unheard.embedders.sound_effects import STEP


@pytest.fixture
def kind() -> LearnedEmbedding:
    return LearnedEmbedding()


def wandering(frames: int, seed: int) -> Tensor:
    """Made-up features that change slowly, as embeddings do."""
    walk = torch.randn(frames, SIZE, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.avg_pool1d(walk.T[None], 9, stride=1, padding=4)[0].T


def test_sums_run_along_the_diagonals() -> None:
    table = torch.rand(5, 8, generator=torch.Generator().manual_seed(0))
    expected = [table.diagonal(shift).sum() for shift in range(-4, 8)]
    torch.testing.assert_close(along_diagonals(table), torch.stack(expected))


def test_frames_lie_between_steps() -> None:
    ramp = (torch.arange(20.0) + 0.5)[:, None] * STEP
    frames = at_frames(ramp, 140)[:, 0]
    inside = slice(8, 140)
    torch.testing.assert_close(frames[inside], torch.arange(140)[inside] * PERIOD, atol=1e-4, rtol=0)
    assert at_frames(ramp[:1], 3)[:, 0].tolist() == [pytest.approx(STEP / 2)] * 3


def test_the_mean_of_what_is_heard_is_taken_out() -> None:
    moments = torch.rand(12, SIZE) + 1
    moments[3:6] = 0
    found = centred(moments)
    assert not found[3:6].any()
    heard = torch.cat([moments[:3], moments[6:]])
    expected = heard - heard.mean(dim=0)
    expected /= expected.norm(dim=1, keepdim=True)
    torch.testing.assert_close(torch.cat([found[:3], found[6:]]), expected)


@pytest.mark.parametrize("seed", range(5))
def test_the_densest_run_has_the_largest_sum(seed: int) -> None:
    values = torch.randn(15, generator=torch.Generator().manual_seed(seed)) + 0.5
    over = values - values.mean() / 2
    best = max(float(over[start:end].sum()) for start, end in combinations(range(16), 2))
    assert float(over[slice(*densest(values))].sum()) == pytest.approx(best, abs=1e-5)


def test_a_passage_is_found_where_it_is(kind: LearnedEmbedding) -> None:
    reference, others = wandering(400, 0), [wandering(400, seed) for seed in range(1, 20)]
    piece = torch.cat([wandering(80, 99), reference[120:320], wandering(40, 98)])
    finding = kind.compare(piece, reference, {})
    assert finding is not None
    near = pytest.approx
    assert (finding.start, finding.end) == (near(80, abs=3 * SPACING), near(280, abs=3 * SPACING))
    assert finding.reference_start - finding.start == 40
    assert finding.reference_end - finding.end == 40
    marks = finding.covers()
    assert marks.shape == (320,)
    assert np.flatnonzero(marks)[[0, -1]].tolist() == [finding.start, finding.end - 1]
    scores = [some.score for other in others if (some := kind.compare(piece, other, {}))]
    assert finding.score > 2 * max(scores)


def test_less_than_a_second_and_what_never_changes_is_nothing(kind: LearnedEmbedding) -> None:
    short = wandering(SPACING * (LEAST - 1), 0)
    assert kind.compare(short, short, {}) is None
    constant = torch.ones(400, SIZE)
    assert kind.compare(constant, constant, {}) is None
    assert kind.compare(torch.zeros(400, SIZE), wandering(400, 0), {}) is None
    assert kind.compare(torch.zeros(0, SIZE), wandering(400, 0), {}) is None


def test_features_are_a_frame_each_and_silence_has_none(kind: LearnedEmbedding) -> None:
    sound = torch.nn.functional.pad(melody(3), (2 * RATE, 0))
    signal = Signal(sound, RATE)
    found = kind.features(signal)
    assert found.shape == (len(signal.features), SIZE)
    assert not found[:70].any()
    assert kind.features(Signal(torch.zeros(1, 10), RATE)).shape == (0, SIZE)


def test_a_telephone_does_not_hide_a_melody(kind: LearnedEmbedding) -> None:
    spectrum = torch.fft.rfft(melody(3))
    frequencies = torch.fft.rfftfreq(melody(3).shape[-1], 1 / RATE)
    band = torch.fft.irfft(spectrum * ((frequencies > 300) & (frequencies < 3400)), melody(3).shape[-1])
    altered = kind.features(Signal(torch.nn.functional.pad(band, (RATE, 0)), RATE))
    findings = [kind.compare(altered, kind.features(Signal(melody(n), RATE)), {}) for n in range(1, 8)]
    scores = [0.0 if some is None else some.score for some in findings]
    assert int(np.argmax(scores)) == 2
    assert findings[2] is not None
    assert findings[2].start - findings[2].reference_start == pytest.approx(1 / PERIOD, abs=2 * SPACING)


def test_rates_never_rise(kind: LearnedEmbedding) -> None:
    scores = np.linspace(0, 10, 101)
    rates = [kind.false_alarm_rate(score) for score in scores]
    assert rates[0] == 1.0
    assert rates == sorted(rates, reverse=True)
    assert 0 < rates[-1] < 1e-2
    expected = [kind.expected_false_alarms(score, 1000) for score in scores]
    assert expected == sorted(expected, reverse=True)
    assert "lab.embedding_evidence" in kind.calibration["command"]


@pytest.fixture
def registered() -> Iterator[None]:
    kinds = dict(EVIDENCES)
    register(LearnedEmbedding)
    yield
    EVIDENCES.clear()
    EVIDENCES.update(kinds)


def test_it_is_asked_on_request(registered: None, folder: Path) -> None:
    audited = audit((melody(5)[:, : 2 * RATE], RATE), folder / "5.wav")
    assert audited.calibration[LearnedEmbedding.name] == LearnedEmbedding().calibration


def test_it_is_not_asked_and_not_loaded_else() -> None:
    assert LearnedEmbedding.name not in EVIDENCES
    code = (
        "import sys, unheard.auditing; from unheard.auditing.evidence import learned_embedding as kind;"
        " assert 'unheard.embedders.sound_effects' not in sys.modules; kind.LearnedEmbedding()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
