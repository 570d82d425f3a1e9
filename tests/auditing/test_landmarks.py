"""Landmarks: what remains under other music, in a narrow band, in a room."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from melodies import RATE, melody
from scipy.signal import butter, fftconvolve, sosfilt

from unheard.auditing import landmarks
from unheard.auditing.features import Signal


def marks(waveform: torch.Tensor, rate: int = RATE) -> landmarks.Landmarks:
    return landmarks.landmarks(landmarks.peaks(Signal(waveform, rate).mono))


def under_other_music(sound: torch.Tensor) -> torch.Tensor:
    other = melody(77)
    return 0.5 * sound / sound.std() + other / other.std()


def behind_a_telephone(sound: torch.Tensor) -> torch.Tensor:
    band = butter(6, [300, 3400], "band", fs=RATE, output="sos")
    return torch.from_numpy(sosfilt(band, sound.numpy())).float()


def in_a_room(sound: torch.Tensor) -> torch.Tensor:
    time = np.arange(2 * RATE) / RATE
    room = np.random.default_rng(0).standard_normal(len(time)) * 10 ** (-3 * time / 2)
    room /= np.sqrt(np.square(room).sum())
    room[0] += 1
    return torch.from_numpy(fftconvolve(sound.numpy()[0], room)[: sound.shape[1]]).float()[None]


@pytest.mark.parametrize("change", [under_other_music, behind_a_telephone, in_a_room])
def test_it_is_still_found(change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    found = landmarks.compare(marks(change(melody(4))), marks(melody(4)))
    other = landmarks.compare(marks(change(melody(4))), marks(melody(5)))
    assert found is not None
    assert abs(found.lag) <= 1
    assert found.strength > 5 * (0.0 if other is None else other.strength)


def test_the_lag_is_where_the_copy_lies() -> None:
    late = torch.cat([torch.zeros(1, round(1.5 * RATE)), melody(4)], dim=1)
    found = landmarks.compare(marks(late), marks(melody(4)))
    assert found is not None
    assert found.lag == pytest.approx(-1.5 * landmarks.PER_FRAME * 40, abs=2)
    covered = landmarks.covered(found, late.shape[1] * 16_000 // RATE // 400 + 1)
    assert covered[70:].mean() > 0.9
    assert covered[:30].mean() < 0.2


def test_a_held_note_says_little_of_another_like_it() -> None:
    time = torch.arange(6 * RATE) / RATE
    tones = [
        sum(torch.sin(2 * torch.pi * 220 * k * time + phase * k) / k for k in range(1, 9)) for phase in (0, 1)
    ]
    alike = landmarks.compare(*(marks(tone[None]) for tone in tones))
    itself = landmarks.compare(marks(melody(4)), marks(melody(4)))
    assert itself is not None
    assert alike is None or alike.strength < itself.strength / 10


def shared(*groups: tuple[int, int, int]) -> tuple[landmarks.Landmarks, landmarks.Landmarks]:
    """Two sounds of 400 columns that share landmarks, as (how many, column, lag), and nothing else."""
    keys = np.arange(sum(count for count, _, _ in groups)) * 1_000
    columns = np.concatenate([np.full(count, column) for count, column, _ in groups])
    lags = np.concatenate([np.full(count, lag) for count, _, lag in groups])
    return landmarks.Landmarks(keys, columns, 400), landmarks.Landmarks(keys, columns + lags, 400)


def test_many_moments_say_more_than_one_note_that_brings_as_many_landmarks() -> None:
    note = landmarks.compare(*shared((96, 40, 0)))
    passage = landmarks.compare(*shared(*((8, column, 0) for column in range(40, 232, 16))))
    assert note is not None
    assert passage is not None
    assert passage.count == 96
    assert note.count == landmarks.OF_A_CELL
    assert passage.strength > 8 * note.strength


@pytest.mark.parametrize("frames", [12, 40, 41, 200])
def test_what_is_covered_is_of_all_frames_however_short_the_sound(frames: int) -> None:
    shared = landmarks.Votes(1.0, 3, 0.1, np.array([4, 9, 20]), 0)
    covered = landmarks.covered(shared, frames)
    assert covered.shape == (frames,)
    assert covered[:10].all()
    assert not covered[40:].any()


def test_what_is_shared_at_another_lag_as_well_says_less() -> None:
    once = [(8, column, 0) for column in range(40, 200, 16)]
    alone = landmarks.compare(*shared(*once))
    again = landmarks.compare(*shared(*once, *((7, column, 90) for _, column, _ in once)))
    beside = landmarks.compare(*shared(*once, *((7, column, landmarks.ELSEWHERE) for _, column, _ in once)))
    assert alone is not None
    assert again is not None
    assert beside is not None
    assert again.lag == beside.lag == alone.lag == 0
    assert again.strength < 0.55 * alone.strength
    assert beside.strength > 0.7 * alone.strength


def test_peaks_are_as_many_as_the_crowd_and_frames_as_the_features() -> None:
    signal = Signal(melody(4), RATE)
    found = landmarks.peaks(signal.mono)
    assert found.shape == (len(signal.features), landmarks.PER_FRAME, landmarks.BINS)
    columns = found.flatten(0, 1).sum(dim=1)
    for start in range(0, len(columns), landmarks.WITHIN):
        assert int(columns[start : start + landmarks.WITHIN].sum()) <= landmarks.CROWD


def test_landmarks_by_hand() -> None:
    """Three peaks: partners are in reach, in order, and not in the same column."""
    found = torch.zeros(40, landmarks.PER_FRAME, landmarks.BINS, dtype=torch.bool)
    for column, bin_ in ((4, 50), (4, 60), (10, 55), (78, 50)):
        found[column // 2, column % 2, bin_] = True
    made = landmarks.landmarks(found)
    pairs = sorted(zip(made.columns.tolist(), made.keys.tolist(), strict=True))
    assert pairs == [
        (4, (50 * 1024 + 55) * 128 + 6),
        (4, (60 * 1024 + 55) * 128 + 6),
    ]


def test_nothing_has_no_landmarks() -> None:
    nothing = marks(torch.zeros(1, 100))
    assert len(nothing.keys) == 0
    assert landmarks.compare(nothing, marks(melody(1))) is None
