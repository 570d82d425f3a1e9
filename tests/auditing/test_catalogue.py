"""References from files and folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from melodies import RATE, melody

from unheard import audio
from unheard.auditing import Catalogue, fingerprint_cache
from unheard.auditing.features import features
from unheard.auditing.fingerprint import fingerprints
from unheard.errors import InputError


def test_fingerprints_are_cached(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Catalogue.from_files(folder, cache=tmp_path / "prints")
    monkeypatch.setattr(fingerprint_cache, "features", lambda *_: pytest.fail("a reference was read again"))
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


def test_candidates_are_those_throughout_and_then_those_in_a_passage(folder: Path) -> None:
    """What fills a sixth of a sound is not among the nearest throughout, and is among the glimpsed."""
    catalogue = Catalogue.from_files(folder)
    sound = torch.cat([melody(seed) for seed in (20, 21, 22, 23, 24, 3)], dim=1)
    queries = fingerprints(features(sound, RATE), 16)
    throughout = catalogue.nearest(queries, 2)
    both = catalogue.nearest(queries, 2, 3)
    assert both[:2] == throughout
    assert len(both) == len({*both}) <= 5
    assert catalogue.number("3.wav") in (catalogue.part(part)[0] for part in both)
    assert len(catalogue.nearest(queries, 100, 100)) == len(catalogue)
