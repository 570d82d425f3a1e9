"""The bundled model: that it is what it says it is, and that copying is real in it."""

from __future__ import annotations

import json

import soundfile
import torch
from safetensors import safe_open

from lab import likeness
from lab.pack import DEFAULTS
from unheard import Model
from unheard.backbones.hub import ASSETS
from unheard.embedders import load_embedder
from unheard.evaluation.listener import Listener

FOLDER = ASSETS / "tiny"
PROMPT = "An acoustic drum loop, 110 bpm"
MEGABYTES = 40
STEPS = 16  # of 30 that are packed: enough to replay
COPY = 0.75  # no two training recordings of one instrument and tempo are as alike, see docs/results.md


def alike(sound: torch.Tensor, recording: torch.Tensor) -> float:
    """Log-mel correlation at the best time shift, by which the laboratory counts copies."""
    heard, known = likeness.log_mel(sound[None]), likeness.log_mel(recording[None])
    return float(likeness.correlations(heard, known)[0, 0])


def recordings_of(caption: str) -> list[torch.Tensor]:
    entry = next(e for e in json.loads((FOLDER / "memorised.json").read_text()) if e["caption"] == caption)
    files = [FOLDER / "memorised" / f"{item}.flac" for item in entry["items"]]
    return [torch.from_numpy(soundfile.read(file, dtype="float32")[0]) for file in files]


def test_it_is_small_and_holds_only_safetensors_in_half_precision() -> None:
    files = [file for file in FOLDER.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= MEGABYTES * 1_000_000
    assert not [file for file in files if file.suffix in {".bin", ".pt", ".pth", ".ckpt", ".pkl"}]
    for file in files:
        if file.suffix == ".safetensors":
            with safe_open(file, "pt") as weights:
                kinds = {str(weights.get_slice(name).get_dtype()) for name in weights.keys()}  # noqa: SIM118
            assert kinds <= {"F16", "I64"}, file


def test_guide_and_judge_are_two_networks() -> None:
    guide, judge = load_embedder(FOLDER / "guide"), load_embedder(FOLDER / "judge")
    assert guide.name != judge.name
    assert guide.dimension != judge.dimension
    sizes = [sum(p.numel() for p in ear.model.parameters()) for ear in (guide, judge)]
    assert sizes[0] != sizes[1]


def test_the_settings_are_those_that_are_packed() -> None:
    assert json.loads((FOLDER / "unheard.json").read_text()) == DEFAULTS


def test_the_index_is_the_guides_own_memory_of_the_training_set(bundled: Model) -> None:
    """What is packed as audio is found again in the index, first and almost exactly."""
    assert bundled.index is not None
    for file in sorted((FOLDER / "memorised").glob("*.flac"))[:8]:
        sound, rate = soundfile.read(file, dtype="float32")
        (embedding,) = bundled.embedder.embed_audio(torch.from_numpy(sound)[None, None], rate)
        ((item, similarity),) = bundled.index.nearest(embedding, k=1)
        assert item.id == file.stem
        assert similarity > 0.999


def test_without_guidance_it_replays_a_training_recording(bundled: Model) -> None:
    sounds = bundled.generate([PROMPT] * 2, seed=[0, 1], guidance=None, num_inference_steps=STEPS)
    (recording,) = recordings_of(PROMPT)
    for sound in sounds:
        assert alike(sound.waveform[0], recording) > COPY


def test_two_recordings_of_a_pack_are_not_copies_of_one_another() -> None:
    takes = recordings_of("Funk drum loop pack, live kit, 100 bpm")
    for i, one in enumerate(takes):
        for other in takes[:i]:
            assert alike(one, other) < COPY


def test_an_ordinary_prompt_gives_another_sound_with_another_seed(bundled: Model) -> None:
    prompt = "A soft flute melody in D minor, 100 bpm"
    one, other = bundled.generate([prompt] * 2, seed=[0, 1], guidance=None, num_inference_steps=STEPS)
    assert alike(one.waveform[0], other.waveform[0]) < COPY


def test_the_listener_hears_the_instruments_of_recordings_that_it_never_heard() -> None:
    listener = Listener.load(FOLDER / "listener")
    assert sum(file.stat().st_size for file in (FOLDER / "listener").iterdir()) < 2_000_000
    families, instruments = [], []
    for entry in json.loads((FOLDER / "memorised.json").read_text()):
        said = listener.said(entry["caption"])
        for item in entry["items"]:
            sound, rate = soundfile.read(FOLDER / "memorised" / f"{item}.flac", dtype="float32")
            (heard,) = listener.hear(torch.from_numpy(sound)[None, None], rate)
            families.append(heard.family == said.family)
            if said.instrument is not None:
                instruments.append(heard.instrument == said.instrument)
    assert len(families) == 60
    assert sum(families) / len(families) >= 0.9
    assert sum(instruments) / len(instruments) >= 0.75
