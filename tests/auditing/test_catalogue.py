"""References from files and folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from melodies import RATE, melody

from unheard import audio
from unheard.auditing import Catalogue, fingerprint, fingerprint_cache
from unheard.auditing.catalogue import PART
from unheard.auditing.features import PERIOD, Signal
from unheard.auditing.fingerprint import fingerprints
from unheard.auditing.landmarks import PER_FRAME, Landmarks, key, landmarks, peaks
from unheard.auditing.moment_network import NUMBERS
from unheard.errors import InputError
from unheard.index.store.fingerprints import Prints


def test_fingerprints_are_cached(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Catalogue.from_files(folder, cache=tmp_path / "prints")
    monkeypatch.setattr(fingerprint_cache, "Signal", lambda *_: pytest.fail("a reference was read again"))
    second = Catalogue.from_files(folder, cache=tmp_path / "prints")
    assert second.ids == first.ids
    assert second.seconds == first.seconds == [6.0] * 6
    assert np.array_equal(second.prints, first.prints)
    monkeypatch.undo()
    audio.write_wav(tmp_path / "new.wav", melody(50), RATE)
    third = Catalogue.from_files([*folder.glob("*.wav"), tmp_path / "new.wav"], cache=tmp_path / "prints")
    assert len(third) == 7


def test_what_cannot_be_used_is_left_out(tmp_path: Path) -> None:
    audio.write_wav(tmp_path / "good.wav", melody(1), RATE)
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    found = Catalogue.from_files(tmp_path, captions={"good.wav": "plucked"})
    assert found.ids == ["good.wav"]
    assert found.captions == ["plucked"]
    assert set(found.left_out) == {"silent.wav", "bad.wav"}
    (tmp_path / "good.wav").unlink()
    with pytest.raises(InputError, match="no reference can be used"):
        Catalogue.from_files(tmp_path)


def test_paths_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="check the path"):
        Catalogue.from_files(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no sound in the folder"):
        Catalogue.from_files(tmp_path)


def test_what_lies_deep_under_other_music_shares_landmarks(folder: Path) -> None:
    catalogue = Catalogue.from_files(folder)
    host = sum(melody(seed) for seed in (20, 21, 22))
    sound = Signal(host / host.std() + 0.3 * melody(3) / melody(3).std(), RATE)
    (sharing,) = catalogue.sharing(landmarks(peaks(sound.mono)), 1)
    assert catalogue.number("3.wav") == catalogue.part(sharing)[0]


def test_no_more_parts_are_near_than_there_are(folder: Path) -> None:
    catalogue = Catalogue.from_files(folder)
    assert len(catalogue.nearest(fingerprints(Signal(melody(1), RATE).features), 100)) == len(catalogue)


def test_of_a_long_reference_the_part_with_the_landmarks_is_compared(tmp_path: Path) -> None:
    long = torch.cat([melody(seed) for seed in range(30, 42)], dim=1)
    audio.write_wav(tmp_path / "long.wav", long, RATE)
    audio.write_wav(tmp_path / "other.wav", melody(1), RATE)
    catalogue = Catalogue.from_files(tmp_path)
    for seed in (30, 36, 41):
        passage = Signal(melody(seed), RATE)
        (part,) = catalogue.sharing(landmarks(peaks(passage.mono)), 1)
        number, frames = catalogue.part(part)
        begin = 6.0 * (seed - 30) / PERIOD
        assert catalogue.ids[number] == "long.wav"
        assert frames.start <= begin + 2
        assert begin + len(passage.features) - 2 <= frames.stop


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([1, 29, 30, 31, 45, 46, 200]), min_size=1, max_size=4), st.data())
def test_the_part_that_is_compared_is_the_one_whose_middle_is_nearest(
    windows: list[int], data: st.DataObject
) -> None:
    number = data.draw(st.integers(0, len(windows) - 1))
    sound = Landmarks(key(np.arange(9) * 10, 5, 7), np.arange(9) * 40, 400)
    lag = data.draw(st.integers(0, 64 * windows[number]))
    prints = [
        Prints(
            np.zeros((count, fingerprint.SIZE), np.float16),
            np.stack([sound.keys, sound.columns + lag if own == number else 0 * sound.columns]),
            np.zeros((1, NUMBERS), np.int8),
            np.zeros(1, np.int32),
            (count + 10) * fingerprint.HOP * PERIOD,
        )
        for own, count in enumerate(windows)
    ]
    ids = [str(own) for own in range(len(windows))]
    catalogue = Catalogue("made up", ids, [Path(some) for some in ids], [None] * len(ids), prints, {})
    compared = [catalogue.part(part) for part in catalogue.sharing(sound, len(ids))]
    (chosen,) = [frames for own, frames in compared if own == number]
    every = [catalogue.part(part) for part in range(len(catalogue.parts))]
    starts = [frames.start for own, frames in every if own == number]
    middle = (lag + sound.length / 2) / PER_FRAME - PART * fingerprint.HOP / 2
    slack = 2
    assert abs(chosen.start - middle) <= min(abs(start - middle) for start in starts) + slack
