"""Latents of recordings: made beforehand, found by content."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

import unheard
from unheard import audio
from unheard.cli import main
from unheard.errors import InputError
from unheard.guidance.base import GuidanceWarning
from unheard.guidance.detour.recording_latents import RecordingLatents
from unheard.guidance.detour.settings import Detour
from unheard.index import build


def test_latents_of_an_index_are_made_beforehand(
    tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model = unheard.load(tiny_model_folder)
    rate = model.backbone.sample_rate
    for number, name in enumerate(("one", "two", "broken")):
        noise = torch.rand(1, rate // 2, generator=torch.Generator().manual_seed(number)) - 0.5
        audio.write_wav(tmp_path / f"{name}.wav", noise, rate)
    place = tmp_path / "index"
    build(sorted(tmp_path.glob("*.wav")), place, embedder=model.embedder, workers=0)
    (tmp_path / "broken.wav").write_text("no sound")

    def latents(*options: str) -> Result:
        ask = ["index", "latents", str(place), "--model", str(tiny_model_folder), *options]
        return CliRunner().invoke(main, ask)

    first = latents()
    assert first.exit_code == 0, first.stderr
    assert first.stdout == f"{place}: 2 encoded, 0 there already, 1 left out\n"
    assert "1 left out: it is no sound that can be read" in first.stderr
    assert json.loads(latents("--json").stdout)["there"] == 2
    training_set = model.training_set(place)
    assert unheard.load(tiny_model_folder).encoded(training_set) == 2
    encode = RecordingLatents.encoded
    monkeypatch.setattr(
        RecordingLatents,
        "encoded",
        lambda self, path: encode(self, path) if path.stem == "broken" else pytest.fail("encoded already"),
    )
    with pytest.warns(GuidanceWarning, match=r"not compared with: cannot read .*broken\.wav"):
        model.generate("A bell", index=place, guidance=Detour(), num_inference_steps=2, duration=0.2)
    for sound in tmp_path.glob("*.wav"):
        sound.unlink()
    missing = latents()
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert missing.stderr.startswith(f"unheard: no recording of {place} is available")


def test_latents_of_recordings_are_cached_by_content(
    tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    backbone = unheard.load(tiny_model_folder).backbone
    recording = tmp_path / "noise.wav"
    sound = torch.rand(backbone.audio_channels, 3000, generator=torch.Generator().manual_seed(0)) - 0.5
    audio.write_wav(recording, sound, backbone.sample_rate)
    latents = RecordingLatents(backbone)
    first = latents.of(recording)
    torch.testing.assert_close(first, latents.encoded(recording), atol=2e-3, rtol=2e-3)  # kept as float16
    (kept,) = (tmp_path / "cache").rglob("*.safetensors")
    monkeypatch.setattr(RecordingLatents, "encoded", lambda *_: pytest.fail("it was encoded already"))
    moved = recording.rename(tmp_path / "moved.wav")
    assert torch.equal(RecordingLatents(backbone).of(moved), first)
    assert kept.parent.parent.name == "latents"


def test_latents_that_cannot_be_cached_are_used_all_the_same(
    tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    backbone = unheard.load(tiny_model_folder).backbone
    recordings = [tmp_path / "one.wav", tmp_path / "two.wav"]
    for number, recording in enumerate(recordings):
        sound = torch.rand(backbone.audio_channels, 3000, generator=torch.Generator().manual_seed(number))
        audio.write_wav(recording, sound - 0.5, backbone.sample_rate)
    latents = RecordingLatents(backbone)
    with pytest.warns(UserWarning, match="latents are not cached.*XDG_CACHE_HOME") as said:
        found = [latents.of(recording) for recording in recordings]
    assert len(said) == 1
    torch.testing.assert_close(found[0], latents.encoded(recordings[0]), atol=2e-3, rtol=2e-3)
    with pytest.raises(InputError, match="cannot write to the cache"):
        latents.made(recordings[0])
