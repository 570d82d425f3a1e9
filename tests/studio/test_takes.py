"""Takes on disk: numbered, never written over, and read back as they were."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
import torch

from unheard import Model
from unheard.errors import InputError
from unheard.generation.sound import Fallback, Sound
from unheard.studio.takes import GUIDED, LATENTS, UNGUIDED, Takes, read_sound


@pytest.fixture(scope="module")
def sound(tiny_model: Model) -> Sound:
    (made,) = tiny_model.generate("a bell", duration=0.2, num_inference_steps=2, guidance="detour")
    return made


def test_numbers_follow_one_another_and_those_of_two_studios_differ(tmp_path: Path, sound: Sound) -> None:
    one, other = Takes(tmp_path / "takes"), Takes(tmp_path / "takes")
    assert [one.reserve(), other.reserve()] == [1, 2]
    for which in (GUIDED, UNGUIDED):
        other.save(2, which, sound, ".flac")
    other.release(2)
    one.release(1)
    assert one.reserve() == 3
    assert [(take.number, [*take.paths]) for take in one.all()] == [(2, [GUIDED, UNGUIDED])]


def test_a_number_that_is_taken_meanwhile_is_passed_over(
    tmp_path: Path, sound: Sound, monkeypatch: pytest.MonkeyPatch
) -> None:
    takes, iterdir = Takes(tmp_path), Path.iterdir
    takes.save(takes.reserve(), GUIDED, sound, ".wav")
    takes.release(1)
    before = (tmp_path / "take-1.wav").read_bytes()
    monkeypatch.setattr(Path, "iterdir", lambda path: iter(()) if path == tmp_path else iterdir(path))
    assert takes.reserve() == 2
    assert (tmp_path / "take-1.wav").read_bytes() == before


def test_what_is_not_a_take_stays_and_is_not_listed(tmp_path: Path, sound: Sound) -> None:
    (tmp_path / "take-5.wav").write_bytes(b"mine")
    (tmp_path / "take-9.json").write_text("{}")
    takes = Takes(tmp_path)
    assert (takes.all(), takes.reserve()) == ([], 10)
    assert (tmp_path / "take-5.wav").read_bytes() == b"mine"
    with pytest.raises(InputError, match="no take 5"):
        takes.take(5)


def test_a_sound_is_read_back_as_it_was(tmp_path: Path, sound: Sound) -> None:
    sound.fallback = Fallback("x", "a drum", 0.5, 1)
    last = sound.trace[-1].__class__(sigma=1.0, value=0.4, threshold=0.3, fallback="x", prompt_weight=0.5)
    sound.trace[:] = [last, last]
    takes = Takes(tmp_path)
    path = takes.save(takes.reserve(), GUIDED, sound, ".wav", as_float=True)
    again = read_sound(path, {"x": "a drum"})
    torch.testing.assert_close(again.waveform, sound.waveform)
    assert (again.trace, again.nearest, again.outcome) == (sound.trace, sound.nearest, sound.outcome)
    assert "a drum" in again.outcome


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write to"):
        Takes(tmp_path / "file" / "takes").reserve()


def test_a_take_is_packed_with_all_of_its_files_and_no_others(tmp_path: Path, sound: Sound) -> None:
    takes = Takes(tmp_path)
    for number in (takes.reserve(), takes.reserve()):
        for which in (GUIDED, UNGUIDED):
            sound.save_latents(takes.save(number, which, sound, ".wav").with_suffix(LATENTS))
    with zipfile.ZipFile(io.BytesIO(takes.packed(1))) as packed:
        found = {name: packed.read(name) for name in packed.namelist()}
    assert found == {path.name: path.read_bytes() for path in tmp_path.glob("take-1[.-]*")}
    assert len(found) == 6
    with pytest.raises(InputError, match="no take 5"):
        takes.packed(5)
