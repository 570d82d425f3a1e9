"""The network of moments: it hears a moment again, and its read-out is what its definition says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lab.moments import losses, material, network, train
from lab.moments.read_out import excess, hear, ratios
from unheard.auditing.alignment import Alignment
from unheard.auditing.envelopes import LEAST, Likeness, envelopes
from unheard.auditing.features import HOP, SAMPLE_RATE

NOWHERE = Alignment(0.0, 0.0, 0, 0, 0, 0, 1.0, 0, 1.0)


def begins(lag: int) -> Likeness:
    return Likeness(1.0, 0.5, 0, LEAST, lag)


def strokes(seed: int) -> torch.Tensor:
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


def test_a_shifted_copy_is_heard_at_its_lag_and_another_sound_is_not() -> None:
    trained, late = network.trained(), 12
    original, other = strokes(0), strokes(1)
    noise = 0.03 * original.std() * torch.randn(len(original), generator=torch.Generator().manual_seed(0))
    copy = torch.cat([torch.zeros(late * HOP), original + noise])
    first, second, third = (hear(trained, envelopes(sound).numpy()) for sound in (copy, original, other))
    assert first.vectors.shape == (len(first.sounding), network.NUMBERS)
    np.testing.assert_allclose(np.linalg.norm(first.vectors, axis=1), 1, atol=1e-5)

    found = excess(ratios(trained, first, second), begins(-late), NOWHERE)
    assert found > 50
    assert excess(ratios(trained, first, second), begins(0), NOWHERE) == 0, "no other kind found its lag"
    assert excess(ratios(trained, first, third), begins(-late), NOWHERE) < found / 10


def test_silence_says_nothing_and_a_short_sound_is_not_read() -> None:
    trained = network.trained()
    sound = hear(trained, envelopes(strokes(0)).numpy())
    assert excess(ratios(trained, sound, hear(trained, np.zeros((0, 40)))), begins(0), NOWHERE) == 0
    silent = np.full((60, 40), -120.0)
    silent[0] = 0.0
    quiet = hear(trained, silent)
    assert not quiet.sounding[network.AROUND + 1 :].any()
    assert not ratios(trained, quiet, quiet)[network.AROUND + 1 :, network.AROUND + 1 :].any()


def by_hand(table: np.ndarray, likeness: Likeness | None, alignment: Alignment) -> float:
    """The read-out's definition, every stretch of every lag added up."""
    frames, others = table.shape
    sums = {}
    for lag in range(1 - frames, others):
        line = np.diagonal(table, lag)
        sums[lag] = max(
            0.0, *(line[a:b].sum() for a in range(len(line)) for b in range(a + 1, len(line) + 1))
        )
    own = max(sums, key=lambda lag: sums[lag])
    known = [likeness.lag] if likeness else []
    if alignment.strength:
        known += [alignment.other_start - alignment.start, alignment.other_end - alignment.end]
    if sums[own] == 0 or all(abs(own - lag) > 4 for lag in known):
        return 0.0
    places = {own: 0.7 * sums[own]}
    if likeness:
        near = range(max(12 - frames, likeness.lag - 4), min(others - 12, likeness.lag + 4) + 1)
        places |= {lag: sums[lag] for lag in near if sums[lag] >= places.get(lag, 0)}
    at = max(places, key=lambda lag: places[lag])
    return max(0.0, places[at] - max((s for lag, s in sums.items() if abs(lag - at) > 8), default=0.0))


@settings(max_examples=15, deadline=None)
@given(
    table=st.integers(12, 15).flatmap(
        lambda frames: st.integers(12, 15).flatmap(
            lambda others: arrays(np.float32, (frames, others), elements=st.floats(-3, 6, width=16))
        )
    ),
    lag=st.none() | st.integers(-12, 12),
    start=st.none() | st.integers(-8, 8),
)
def test_the_read_out_is_its_definition(table: np.ndarray, lag: int | None, start: int | None) -> None:
    likeness = None if lag is None else begins(lag)
    alignment = NOWHERE if start is None else Alignment(1.0, 0.5, 8, 12, 8 + start, 14 + start, 1.0, 0, 1.0)
    expected = by_hand(table, likeness, alignment)
    assert excess(table, likeness, alignment) == pytest.approx(expected, abs=1e-3)


def test_relatives_are_judged_at_every_lag() -> None:
    """The skewed matrix has the diagonals as columns, filled up with what counts as nothing."""
    table = torch.randn(2, 5, 5, generator=torch.Generator().manual_seed(0))
    skewed = losses.by_lag(table)
    assert skewed.shape == (2, 5, 9)
    for lag in range(-4, 5):
        for number in range(2):
            column = skewed[number, :, lag + 4]
            assert sorted(column[column != losses.FAINTEST].tolist()) == sorted(
                table[number].diagonal(lag).tolist()
            )


def test_two_steps_of_training(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames, versions = rng.integers(60, 140, 24), np.full(24, 3)
    made = material.Material(
        below=rng.integers(0, 60, (int((frames * versions).sum()), 40)).astype(np.uint8),
        first=np.concatenate([[0], np.cumsum(frames * versions)[:-1]]),
        frames=frames,
        versions=versions,
        family=np.arange(24) // 3,
        piece=np.arange(24),
        real=np.arange(24) < 12,
        alike=np.array([[0], [1]]),
    )
    made.save(tmp_path / "material.npz")
    again = material.load(tmp_path / "material.npz")
    trained = train.train(again, tmp_path / "checkpoints", "cpu", steps=2, groups=2, width=8)
    assert all(weights.isfinite().all() for weights in trained.parameters())
    network.save(trained, tmp_path / "weights.safetensors")
    kept = network.load(tmp_path / "weights.safetensors")
    torch.testing.assert_close(kept.first.weight, trained.first.weight, atol=1e-3, rtol=1e-3)
