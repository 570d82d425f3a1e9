"""What `unheard.audit` takes: files, folders, sounds, arrays with a rate; and what it says of the rest."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from melodies import RATE, melody

from unheard.auditing import Catalogue, audit
from unheard.auditing.sounds import read_sounds
from unheard.errors import InputError


@dataclass
class Recorded:
    """Anything with a waveform and a rate."""

    waveform: Any
    sample_rate: Any = RATE


@pytest.fixture(scope="module")
def catalogue(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """Three of the melodies."""
    few = tmp_path_factory.mktemp("few")
    for name in ("1.wav", "3.wav", "5.wav"):
        shutil.copy(folder / name, few)
    return Catalogue.from_files(few)


def test_all_kinds_mixed_in_one_list(folder: Path, catalogue: Catalogue, tmp_path: Path) -> None:
    (tmp_path / "of one.wav").write_bytes((folder / "5.wav").read_bytes())
    waveform = melody(3)[:, : 3 * RATE]
    sounds = [
        folder / "1.wav",
        str(tmp_path),
        Recorded(waveform),
        (waveform, RATE),
        (waveform[0], RATE),
        (waveform.numpy(), RATE),
        (waveform[0].numpy().astype(np.float64), np.int64(RATE)),
        (waveform.repeat(2, 1), RATE),
    ]
    found = audit(sounds, catalogue)
    assert [file.path for file in found.files] == [
        str(folder / "1.wav"), str(tmp_path / "of one.wav"), *[f"sound {number}" for number in range(3, 9)],
    ]  # fmt: skip
    assert [file.matches[0].reference for file in found.files] == ["1.wav", "5.wav"] + ["3.wav"] * 6
    assert len({file.score for file in found.files[2:]}) == 1
    assert found.verdict == "copy"


SHORT = melody(3)[:, : 3 * RATE]


@pytest.mark.parametrize("sound", [Recorded(SHORT), (SHORT, RATE), (SHORT[0].numpy(), RATE)])
def test_one_alone(sound: Any, catalogue: Catalogue) -> None:
    (alone,) = audit(sound, catalogue).files
    (listed,) = audit([sound], catalogue).files
    assert alone == listed
    assert alone.matches[0].reference == "3.wav"


def test_several_in_any_iterable() -> None:
    several = [(torch.zeros(1, 5), RATE), (torch.ones(5), RATE)]
    for sounds in (several, tuple(several), iter(several)):
        (_, _), (second, rate) = read_sounds(sounds)  # type: ignore[misc]
        assert torch.equal(second, torch.ones(1, 5))
        assert rate == RATE


def test_an_array_is_not_changed_nor_held() -> None:
    array = np.zeros(5, np.float32)
    array.flags.writeable = False
    ((waveform, _),) = read_sounds((array, RATE))  # type: ignore[misc]
    waveform += 1
    assert not array.any()


@pytest.mark.parametrize(
    ("sounds", "said"),
    [
        ([], "no sounds to audit"),
        (3, r"the sound is int \(3\): give a path"),
        (None, r"the sound is NoneType \(None\)"),
        (["a", b"b"], "there is no file or folder a"),
        ([(torch.zeros(5), RATE), b"b"], r"sounds\[1\] is bytes \(b'b'\): give a path"),
        (np.zeros(5), r"the sound is an array \[5\] of float64, without a sample rate: give \(array, rate\)"),
        ([torch.zeros(1, 5)], r"sounds\[0\] is an array \[1, 5\] of float32, without a sample rate"),
        ((np.zeros(5, np.int16), RATE), r"the sound is an array \[5\] of int16: give floats"),
        (Recorded([0.0]), r"the sound is list \(\[0.0\]\): give floats"),
        (
            (torch.zeros(5), 44_100.0),
            r"the sample rate of the sound is float \(44100.0\): give a",
        ),
        ((torch.zeros(5), True), "the sample rate of the sound is bool"),
        ((torch.zeros(5), torch.zeros(5)), r"the sample rate of the sound is an array \[5\] of float32"),
        ([[(torch.zeros(5), RATE)]], r"sounds\[0\] is list"),
    ],
)
def test_errors_name_what_was_given(sounds: Any, said: str) -> None:
    with pytest.raises(InputError, match=f"^.*{said}") as error:
        read_sounds(sounds)
    assert "\n" not in str(error.value)


def test_what_is_no_waveform_is_not_judged(catalogue: Catalogue) -> None:
    shapes = [(2, 3, 4), (1, 0), (0,)]
    found = audit([(np.zeros(shape), RATE) for shape in shapes], catalogue)
    assert [file.verdict for file in found.files] == ["not judged"] * 3
    assert all("[channels, time]" in str(file.reason) for file in found.files)


def test_paths_and_folders_are_references_too(folder: Path, tmp_path: Path) -> None:
    found = audit(folder / "4.wav", [folder / "4.wav", str(folder / "5.wav")])
    assert found.files[0].matches[0].reference == str(folder / "4.wav")
    with pytest.raises(InputError, match="check the path"):
        audit(folder, tmp_path / "nowhere")
