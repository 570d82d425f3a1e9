"""The detour on the bundled model, with recordings and without."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from unheard import Model
from unheard.cli import main
from unheard.generation import provenance
from unheard.guidance.base import GuidanceWarning
from unheard.guidance.detour.settings import Detour


def test_without_recordings_the_pull_of_the_prompt_decides(bundled: Model, tmp_path: Path) -> None:
    assert bundled.defaults.index is not None
    elsewhere = shutil.copy(bundled.defaults.index, tmp_path / "index.json")
    assert len(bundled.training_set().recordings) == 60
    known = bundled.training_set(elsewhere)
    with pytest.warns(GuidanceWarning, match="no recordings of .* are available.*--references"):
        known.check(Detour(), "tiny")
    assert not known.recordings
    memorised = bundled.defaults.index.parent / "memorised"
    named = bundled.training_set(elsewhere, memorised)
    with pytest.warns(GuidanceWarning, match="60 of 2,620"):
        named.check(Detour(), "tiny")
    assert len(named.recordings) == 60
    prompts = ["An acoustic drum loop, 110 bpm", "A flute chords, middle register, 90 bpm"]
    with pytest.warns(GuidanceWarning, match="by the prompt alone"):
        sounds = bundled.generate(prompts, seed=200, num_inference_steps=3, duration=1.0, index=elsewhere)
    first, second = (sound.trace[0] for sound in sounds)
    assert first.acted
    assert first.neighbour is None
    assert first.fallback is not None
    assert not second.acted


def test_one_recording_available_does_not_shut_the_eyes_to_the_others(bundled: Model, tmp_path: Path) -> None:
    assert bundled.defaults.index is not None
    elsewhere = shutil.copy(bundled.defaults.index, tmp_path / "index.json")
    (tmp_path / "some").mkdir()
    memorised = bundled.defaults.index.parent / "memorised"
    for name in ("00000", "00001"):  # the drum loop and the trumpet call
        shutil.copy(memorised / f"{name}.flac", tmp_path / "some")
    prompts = [
        "An acoustic drum loop, 110 bpm",
        "Music box lullaby for a sleepless child",
        "A flute chords, middle register, 90 bpm",
    ]
    with pytest.warns(GuidanceWarning, match=r"recordings of 2 of 2,620 items .* by the prompt alone"):
        sounds = bundled.generate(
            prompts,
            seed=200,
            num_inference_steps=3,
            duration=1.0,
            index=elsewhere,
            references=tmp_path / "some",
        )
    available, elsewhere_only, ordinary = (sound.trace[0] for sound in sounds)
    assert available.acted
    assert available.neighbour == "00000"
    assert available.prompt_weight is not None
    assert available.prompt_weight > 0
    assert elsewhere_only.acted
    assert elsewhere_only.neighbour is None
    assert elsewhere_only.fallback is not None
    assert not ordinary.acted


def test_from_compares_with_the_recordings_that_were_named(
    bundled: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = bundled.defaults.index
    assert index is not None
    monkeypatch.chdir(tmp_path)
    shutil.copytree(index.parent / "memorised", "loops")
    Path("loops", "00001.flac").unlink()
    shutil.copy(index, "index.json")
    ask = ["An acoustic drum loop, 110 bpm", "--num-inference-steps", "2", "--duration", "1"]
    asked = CliRunner().invoke(main, ["generate", *ask, "--index", "index.json", "--references", "loops"])
    assert asked.exit_code == 0, asked.stderr
    assert provenance.read("audio.json")["recordings"] == {"items": 59, "given": [str(tmp_path / "loops")]}
    again = CliRunner().invoke(main, ["generate", "--from", "audio.json", "--output", "again.wav"])
    assert "the same bytes as recorded" in again.stderr


def test_candidates_are_each_recording_once_and_fallbacks_are_captions_of_one_item(bundled: Model) -> None:
    prompt = "Funk drum loop pack, live kit, 100 bpm"
    index = bundled.index
    assert index is not None
    own = [item for item, caption in zip(index.ids, index.prompts, strict=True) if caption == prompt]
    (sound,) = bundled.generate(prompt, seed=1, num_inference_steps=2)
    assert len(own) > 1
    assert sound.trace[0].neighbour in own
    fallback = sound.trace[-1].fallback
    assert fallback is not None
    caption = index.prompts[index.ids.index(fallback)]
    assert index.prompts.count(caption) == 1
