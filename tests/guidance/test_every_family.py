"""Every kind of guidance on every family of models, from a folder of random weights to sounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import native_stable_audio_3_reference
import pytest
import soundfile
import torch
from ace_step_pipeline import write_ace_step
from audioldm2_pipeline import write_audioldm2
from click.testing import CliRunner
from longcat_pipeline import write_longcat
from stable_audio_3_pipeline import write_stable_audio_3
from tiny_world import CAPTIONS, build_index

import unheard
from unheard import Model
from unheard.backbones import FAMILIES
from unheard.cli import main
from unheard.guidance import GUIDANCES, read_guidance

SETTINGS = {
    # Open gates and weak gradients: what is asked is whether shapes fit, not whether copies go away.
    "amg": {"lambda_min": -1.0, "lambda_max": -1.0, "c3": 1.0},
    "volumetric": {"lambda_min": -1.0, "lambda_max": -1.0, "weight": 1.0},
    "prompt-adjustment": {"target": 1e-3, "updates": 2},
    "basin": {"latest": 0.5},
    "detour": {"candidates": 2, "threshold": 0.0},
    "static-rewrite": {"candidates": 2, "threshold": 0.0},
    "nearest-caption": {},
    "gated-amg": {"candidates": 2, "c3": 1.0, "threshold": 0.0},
    "rare-words": {"fewest_captions": 3},
    "prompt-noise": {"random_words": 2, "embedding_noise": 0.1},
}
PROMPTS = [CAPTIONS[0], "A slow piano melody with strings"]
WRITERS: dict[str, Callable[[Path], Path]] = {
    "AceStepPipeline": write_ace_step,
    "AudioLDM2Pipeline": write_audioldm2,
    "LongCatAudioDiTPipeline": write_longcat,
    "StableAudio3Pipeline": write_stable_audio_3,
    "stable-audio-3": lambda folder: native_stable_audio_3_reference.write_model(folder, "medium"),
}
OTHERS = {
    "StableAudioPipeline",
    "stable-audio-tools",
    "StableAudio3AudioToAudioPipeline",
    "StableAudio3InpaintPipeline",
}
"""What `tests/guidance` runs on throughout, and what is the same model as another."""


@dataclass
class World:
    model: Model
    index: Path
    recordings: Path


@pytest.fixture(scope="module", params=WRITERS)
def world(
    request: pytest.FixtureRequest, tiny_clap_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> World:
    """A model of the family, and a training set of noise."""
    folder = tmp_path_factory.mktemp(request.param)
    model = unheard.load(WRITERS[request.param](folder / "model"), device="cpu", embedder=tiny_clap_folder)
    recordings = folder / "recordings"
    recordings.mkdir()
    generator = torch.Generator().manual_seed(1)
    for number in range(len(CAPTIONS)):
        noise = torch.rand(4_000, model.backbone.audio_channels, generator=generator) - 0.5
        soundfile.write(recordings / f"train_{number:02d}.wav", noise.numpy(), model.backbone.sample_rate)
    return World(model, build_index(folder / "index.json"), recordings)


def test_every_family_and_kind_is_asked() -> None:
    assert set(WRITERS) | OTHERS == set(FAMILIES)
    assert set(SETTINGS) == set(GUIDANCES)


def table() -> str:
    """What `test_a_kind_runs_...` runs, as the documents have it; what refuses would fail there."""
    rows = [["pipeline", *GUIDANCES], ["---"] * (1 + len(GUIDANCES))]
    pipelines = sorted({*WRITERS, "StableAudioPipeline"})
    rows += [[f"`{pipeline}`", *["runs"] * len(GUIDANCES)] for pipeline in pipelines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def test_the_documents_have_the_table_of_what_runs() -> None:
    page = Path(__file__).parents[2] / "docs" / "models" / "index.md"
    assert table() in page.read_text(encoding="utf-8"), f"put this into {page}:\n{table()}"


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Latents of the recordings are cached."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("kind", ["none", *GUIDANCES])
def test_a_kind_runs_and_each_sound_of_a_batch_is_what_it_is_alone(world: World, kind: str) -> None:
    guidance = None if kind == "none" else read_guidance({"kind": kind, **SETTINGS[kind]})
    options = {
        "guidance": guidance,
        "index": None if kind == "none" else world.index,
        "references": world.recordings,
        "num_inference_steps": 2,
        "duration": 0.3,
    }
    together = world.model.generate(PROMPTS, seed=[3, 4], **options)
    assert kind == "none" or all(sound.acted for sound in together)
    (alone,) = world.model.generate(PROMPTS[1], seed=4, **options)
    peak = alone.waveform.abs().max()
    assert 0 < peak < float("inf")
    torch.testing.assert_close(alone.waveform, together[1].waveform, atol=1e-3 * float(peak), rtol=0)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning", "ignore::unheard.GuidanceWarning")
def test_a_calibration_reads_what_the_gate_of_a_family_sees(world: World) -> None:
    """Flows begin in noise without end, and some strengthen the prompt by a projection."""
    settings = world.model.defaults
    sampling = replace(settings.sampling, num_inference_steps=4)
    model = Model(
        world.model.backbone, replace(settings, sampling=sampling, duration=0.3), world.model.embedder
    )
    usual = [f"A bell {number}" for number in range(20)]
    found = unheard.calibrate(model, world.index, prompts=usual, count=0, captions=[], seed=7, batch=10)
    (at,) = found.durations
    sounds = model.generate(usual[:2], seed=[7, 8], index=world.index, guidance=unheard.Detour(pull=1e9))
    asked = [[step for step in sound.trace if step.sigma >= at.high_noise] for sound in sounds]
    pulls = [max(step.value for step in steps) for steps in asked]
    assert at.statistics["pull"].ordinary[:2] == pytest.approx(pulls, rel=1e-2)
    asking = unheard.Detour(settled_pull=1e-9)
    sounds = model.generate(usual[:2], seed=[7, 8], index=world.index, guidance=asking)
    told = [sound.trace[0].value for sound in sounds]
    assert at.statistics["settled pull"].ordinary[:2] == pytest.approx(told, rel=1e-2, abs=1e-4)


def test_the_command_makes_the_same_bytes_again(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    few = ["--num-inference-steps", "2", "--duration", "0.3", "--no-guidance"]
    made = CliRunner().invoke(main, ["generate", PROMPTS[0], "--model", world.model.name, *few])
    assert made.exit_code == 0, made.stderr
    again = CliRunner().invoke(main, ["generate", "--from", "audio.json", "--output", "again.wav"])
    assert again.exit_code == 0, again.stderr
    assert "the same bytes as recorded" in again.stderr
