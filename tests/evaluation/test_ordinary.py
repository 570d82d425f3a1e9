"""Ordinary sounds: of one kind by their captions, of one length, and the bound of a collapse."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from unheard.auditing.liveliness import Activity, activity
from unheard.evaluation.batch import Generated
from unheard.evaluation.caption_groups import CaptionGroups
from unheard.evaluation.experiment import Experiment
from unheard.evaluation.local_engine import LocalEngine
from unheard.evaluation.ordinary import OrdinarySounds

RATE = 8_000


def strokes(count: int, seconds: float, seed: int = 0) -> np.ndarray:
    """Noise struck so many times, evenly."""
    time = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).standard_normal(len(time))
    return 0.2 * noise * np.exp(-((time * count / seconds) % 1) * seconds / count / 0.06)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 sounds of 2.5 s with captions: bells that are struck 4 to 8 times, drums 12 to 16 times.

    In `ordinary`; beside it the user's cache, with how lively they are. Do not write to it.
    """
    world = tmp_path_factory.mktemp("world")
    (world / "ordinary").mkdir()
    for number in range(120):
        drum = number % 2
        path = world / "ordinary" / f"{number:03d}.wav"
        soundfile.write(path, strokes(4 + number % 5 + 8 * drum, 2.5, number), RATE)
        if number % 3:
            path.with_suffix(".txt").write_text(f"A {'drum loop' if drum else 'soft bell'}, take {number}")
        else:
            said = {"prompt": "A drum loop" if drum else "A soft bell"}
            path.with_suffix(".json").write_text(json.dumps(said))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(world / "user"))
        sounds = OrdinarySounds.open(str(world / "ordinary"))
        assert sounds is not None
        sounds.lowest(2.5)
    return world


@pytest.fixture
def folder(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of these sounds, and of the cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    shutil.copytree(world, tmp_path, dirs_exist_ok=True)
    return tmp_path / "ordinary"


def test_a_group_shares_the_rarest_word_that_enough_have() -> None:
    captions = ["A cello line"] * 5 + ["A piano line in D minor"] * 9 + ["A lament", None, ""]
    groups = CaptionGroups(captions)
    assert groups.like("Solo CELLO lament in D minor!") == [0, 1, 2, 3, 4]
    assert groups.like("Solo cello lament in D minor", but=[2]) == [*range(5, 14)]  # 4 cellos are too few
    assert groups.like("Ocean waves", but=[16]) == [*range(16)]


def test_sounds_are_as_lively_as_others_of_their_kind(folder: Path) -> None:
    sounds = OrdinarySounds.open(str(folder))
    assert sounds is not None
    assert len(sounds.paths) == 120
    assert {caption.split()[1] for caption in sounds.captions if caption} == {"drum", "soft"}
    six = activity(torch.from_numpy(strokes(6, 2.5, 500))[None], RATE)
    bell, drum = (sounds.liveliness(six, prompt, 2.5) for prompt in ("Bell at dawn", "Drum at dawn"))
    assert bell is not None
    assert drum is not None
    assert 0.8 < bell < 1.25
    assert drum < bell
    assert sounds.liveliness(Activity(0.0, 0, -100.0), "Bell at dawn", 2.5) == 0
    half = sounds.liveliness(six, "Bell at dawn", 1.25)  # as much in half the time
    assert half is not None
    assert half > 1.3 * bell


def test_the_bound_is_what_one_ordinary_sound_in_a_hundred_lies_under(folder: Path) -> None:
    soundfile.write(folder / "000.wav", strokes(1, 2.5), RATE)  # one bell that is struck once
    sounds = OrdinarySounds.open(str(folder))
    assert sounds is not None
    lowest = sounds.lowest(2.5)
    assert lowest is not None
    once = Activity(0.3, 1, -20.0)
    few = sounds.liveliness(once, "A soft bell", 2.5)
    assert few is not None
    assert few < lowest < 1
    again = OrdinarySounds.open(str(folder))
    assert again is not None
    assert again.lowest(2.5) == lowest  # from the cache
    assert again.identity == sounds.identity
    (folder / "119.txt").unlink(missing_ok=True)
    (folder / "118.wav").unlink()
    other = OrdinarySounds.open(str(folder))
    assert other is not None
    assert other.identity != sounds.identity


def test_too_few_say_nothing(folder: Path) -> None:
    for path in sorted(folder.glob("*.wav"))[99:]:
        path.unlink()
    some = OrdinarySounds.open(str(folder))
    assert some is not None
    assert some.lowest(2.5) is None
    for path in sorted(folder.glob("*.wav"))[4:]:
        path.unlink()
    assert OrdinarySounds.open(str(folder)) is None


def test_collapsed_sounds_are_told_from_sparse_and_from_lively_ones(file: Path, folder: Path) -> None:
    file.write_text(file.read_text().replace('held_out = "unseen"', f'held_out = "{folder}"'))
    local = LocalEngine(Experiment.read(file))
    first = next(local.batches(["none"]))
    prompt = replace(first.prompts[0], text="A soft bell")
    waveforms = {
        "lively": strokes(6, 2.5),
        "faint": strokes(1, 2.5) + 0.002 * np.random.default_rng(0).standard_normal(round(2.5 * RATE)),
        "sparse": np.concatenate([strokes(1, 0.5), np.zeros(2 * RATE)]),
        "silent": np.zeros(round(2.5 * RATE)),
    }
    flacs = {}
    for name, waveform in waveforms.items():
        soundfile.write(folder.parent / "sound.flac", waveform, RATE)
        flacs[name] = (folder.parent / "sound.flac").read_bytes()
    batch = replace(first, prompts=(prompt,) * 4, seeds=(0, 1, 2, 3))
    rows = [{"audio": name, "error": None} for name in waveforms]
    judged = dict(zip(waveforms, local.judges("none").judge(batch, Generated(rows, flacs, {})), strict=True))
    assert {name: row["collapsed"] for name, row in judged.items()} == {
        "lively": False, "faint": True, "sparse": True, "silent": True,
    }  # fmt: skip
    assert judged["silent"]["reason"] == "it is silent"
    assert "too short" in judged["sparse"]["reason"]
    assert judged["faint"]["verdict"] != "not judged"
    assert "too little happens in it: liveliness 0." in judged["faint"]["reason"]
    assert judged["silent"]["liveliness"] == 0
    assert judged["lively"]["onsets"] == 6
