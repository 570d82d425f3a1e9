"""ACE-Step from a folder, at its published sizes, and inside diffusers' own pipeline."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from ace_step_pipeline import (
    FEATURES,
    HOP,
    RATE,
    ace_step_backbone,
    ace_step_pipeline,
    qwen_tokenizer,
    write_ace_step,
)
from diffusers import (
    AceStepPipeline,
    AceStepTransformer1DModel,
    AutoencoderOobleck,
    FlowMatchEulerDiscreteScheduler,
)
from diffusers.pipelines.ace_step import AceStepConditionEncoder
from tiny_world import CAPTIONS, build_index
from torch import Tensor
from transformers import Qwen3Config, Qwen3Model

import unheard
from unheard import Detour
from unheard.backbones import load_backbone
from unheard.backbones.ace_step.backbone import COMPONENTS, AceStepBackbone
from unheard.backbones.sequences import SequenceConditioning as Conditioning
from unheard.errors import InputError, ModelError

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ace_step(tmp_path_factory.mktemp("ace_step") / "model", seed=2)


@pytest.fixture
def damaged(folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(folder, tmp_path / "model")
    return tmp_path / "model"


def estimate(backbone: AceStepBackbone) -> tuple[Tensor, Tensor]:
    x = torch.randn(1, 6, FEATURES, generator=torch.Generator().manual_seed(0))
    denoised = backbone.denoise(x, torch.ones(1), backbone.encode(["A bell"], [0.0], [1.0]))
    return denoised, backbone.decode(denoised)


def test_loading_a_folder_gives_the_model_that_was_saved(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    loaded = load_backbone(folder, device="cpu")
    assert capfd.readouterr() == ("", "")
    assert isinstance(loaded, AceStepBackbone)
    assert (loaded.sample_rate, loaded.audio_channels, loaded.hop_length) == (RATE, 2, HOP)
    saved = ace_step_backbone(ace_step_pipeline(2))
    for ours, theirs in zip(estimate(loaded), estimate(saved), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    assert loaded.fingerprint is not None
    assert saved.fingerprint is None


def test_half_precision_is_close_and_comes_back_as_float32(folder: Path) -> None:
    half = load_backbone(folder, device="cpu", dtype="bfloat16")
    assert half.dtype == torch.bfloat16
    for rough, exact in zip(estimate(half), estimate(load_backbone(folder, device="cpu")), strict=True):
        assert rough.dtype == torch.float32
        assert (rough - exact).norm() < 5e-2 * exact.norm()


@pytest.mark.parametrize("part", COMPONENTS)
def test_a_missing_or_damaged_part_is_named_in_one_line(damaged: Path, part: str) -> None:
    for weights in (damaged / part).glob("*.safetensors"):
        weights.write_bytes(weights.read_bytes()[:100])
    if part in ("tokenizer", "scheduler"):
        shutil.rmtree(damaged / part)
    with pytest.raises(ModelError, match=f"cannot load {part} of the model") as caught:
        load_backbone(damaged, device="cpu")
    assert "\n" not in str(caught.value)


# The published sizes

XL = {"hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 32, "num_attention_heads": 32}


@pytest.mark.parametrize(
    ("config", "parameters"),
    [({}, 1_575_458_880), ({**XL, "encoder_hidden_size": 2048}, 4_168_897_088)],
    ids=["1.5", "1.5 XL"],
)
def test_every_shape_fits_at_the_published_sizes(config: dict[str, int], parameters: int) -> None:
    text = Qwen3Config(
        vocab_size=151_669,
        hidden_size=1024,
        intermediate_size=3072,
        num_hidden_layers=28,
        num_attention_heads=16,
        num_key_value_heads=8,
    )
    with torch.device("meta"):
        backbone = AceStepBackbone(
            vae=AutoencoderOobleck(128, [2, 4, 4, 6, 10], [1, 2, 4, 8, 16], 128, 64, 2, 48_000),
            text_encoder=Qwen3Model(text),
            tokenizer=qwen_tokenizer(),
            condition_encoder=AceStepConditionEncoder(),
            transformer=AceStepTransformer1DModel(**config),
            scheduler_config=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1).config,
        )
    parts = (backbone.transformer, backbone.condition_encoder, backbone.vae, backbone.text_encoder)
    counts = [sum(parameter.numel() for parameter in part.parameters()) for part in parts]
    assert counts == [parameters, 608_369_664, 168_695_426, 595_776_512]
    assert (backbone.max_duration, backbone.latent_shape) == (600.0, (15_000, 64))
    nothing = backbone.encode_unconditional([None], [0.0], [10.0])
    both = Conditioning.cat([nothing, nothing])
    denoised = backbone.denoise(torch.empty(2, 250, 64, device="meta"), torch.ones(2, device="meta"), both)
    assert denoised.shape == (2, backbone.frames(10.0), 64)
    assert backbone.decode(denoised).shape == (2, 2, 480_000)


# Inside the pipeline

PROMPTS = [CAPTIONS[0], "A slow piano melody, low"]


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> AceStepPipeline:
    pipeline = AceStepPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def call(pipeline: AceStepPipeline, **options: object) -> Tensor:
    given = {"num_inference_steps": 4, "audio_duration": 0.3, "lyrics": ["la la"] * 2, **options}
    return pipeline(PROMPTS, generator=torch.Generator().manual_seed(0), **given).audios


@pytest.mark.parametrize(
    "options",
    [
        {"bpm": 110, "keyscale": "C major", "vocal_language": "de"},
        {"latents": torch.ones(2, 8, FEATURES), "num_inference_steps": 2},
        {"guidance_scale": 1.0},
    ],
    ids=["metadata", "latents", "scale 1"],
)
def test_without_guidance_it_is_the_pipelines_own_result(
    pipeline: AceStepPipeline, options: dict[str, object]
) -> None:
    plain = call(pipeline, **options)
    with unheard.attach(pipeline, guidance=None) as attached:
        guided = call(pipeline, **options)
    assert (guided - plain).abs().max() < 1e-4 * plain.abs().max()
    steps = options.get("num_inference_steps", 4)
    assert [len(of_one) for of_one in attached.trace] == [steps] * 2


def test_the_detour_acts_on_each_sound(
    pipeline: AceStepPipeline, tiny_clap_folder: Path, tmp_path: Path
) -> None:
    plain = call(pipeline)
    index = build_index(tmp_path / "index.json")
    options = {"index": index, "guidance": Detour(pull=0.0), "embedder": tiny_clap_folder}
    with unheard.attach(pipeline, **options) as attached:
        guided = call(pipeline)
        assert torch.equal(call(pipeline), guided)
    assert all(all(step.acted for step in of_one) for of_one in attached.trace)
    assert not torch.allclose(guided, plain)
    assert torch.equal(call(pipeline), plain)


def test_distilled_weights_are_guided_at_scale_1(tiny_clap_folder: Path, tmp_path: Path) -> None:
    turbo = ace_step_pipeline(2, turbo=True)
    plain = call(turbo)
    with unheard.attach(turbo, guidance=None):
        assert (call(turbo) - plain).abs().max() < 1e-4 * plain.abs().max()
    index = build_index(tmp_path / "index.json")
    options = {"index": index, "guidance": Detour(pull=0.0), "embedder": tiny_clap_folder}
    with unheard.attach(turbo, **options) as attached:
        assert not torch.allclose(call(turbo), plain)
    assert all(all(step.acted for step in of_one) for of_one in attached.trace)


def test_what_it_cannot_guide_it_names(pipeline: AceStepPipeline) -> None:
    with unheard.attach(pipeline, guidance=None):
        for name, value, told in (
            ("task_type", "cover", "'cover' as task_type"),
            ("reference_audio", torch.zeros(2, 9), "a recording as reference_audio"),
            ("lyrics", ["la", "lo"], "2 different lyrics"),
            ("cfg_interval_end", 0.5, "0.5 as cfg_interval_end"),
        ):
            with pytest.raises(InputError, match=f"the pipeline was called with {told}"):
                call(pipeline, **{name: value})
