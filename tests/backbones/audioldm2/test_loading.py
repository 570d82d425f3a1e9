"""Loading an AudioLDM 2 model from a folder: what comes of it, and what is said of one that is not whole."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import pytest
import torch
from audioldm2_pipeline import backbone_of, random_pipeline
from diffusers import AudioLDM2Pipeline
from torch import Tensor
from transformers import T5EncoderModel, VitsConfig, VitsModel

from unheard.backbones import load_backbone, resolve_dtype
from unheard.backbones.audioldm2.backbone import COMPONENTS, AudioLDM2Backbone
from unheard.errors import ModelError


@pytest.fixture(scope="module")
def pipeline() -> AudioLDM2Pipeline:
    return random_pipeline(seed=5)


@pytest.fixture(scope="module")
def saved(pipeline: AudioLDM2Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    pipeline.save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    shutil.copytree(saved, tmp_path / "model")
    return tmp_path / "model"


def estimate(backbone: AudioLDM2Backbone) -> tuple[Tensor, Tensor]:
    x = torch.randn(2, *backbone.noise_shape(0.16), generator=torch.Generator().manual_seed(0))
    told = backbone.encode(["a bell", "a slow piano melody"], [0.0] * 2, [1.0] * 2)
    denoised = backbone.denoise(x, torch.ones(2), told)
    return denoised, backbone.decode(denoised)


def test_loading_a_folder_gives_the_model_that_was_saved(
    pipeline: AudioLDM2Pipeline, saved: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = load_backbone(saved, device="cpu")
    assert capfd.readouterr() == ("", "")
    assert isinstance(loaded, AudioLDM2Backbone)
    assert (loaded.sample_rate, loaded.audio_channels, loaded.hop_length) == (16_000, 1, 640)
    assert (loaded.latent_shape, loaded.time_axis, loaded.max_duration) == ((4, 24, 16), -2, 60.0)
    assert (loaded.accepts, loaded.distilled) == ({"negative_prompt"}, False)
    assert (loaded.default_sampling.guidance_scale, loaded.default_sampling.num_inference_steps) == (3.5, 200)
    for ours, own in zip(estimate(loaded), estimate(backbone_of(pipeline)), strict=True):
        torch.testing.assert_close(ours, own, rtol=1e-5, atol=1e-6)


def test_the_language_model_may_have_no_head(pipeline: AudioLDM2Pipeline, folder: Path) -> None:
    """The published folders hold a GPT2Model, with which diffusers' pipeline of today fails."""
    shutil.rmtree(folder / "language_model")
    pipeline.language_model.base_model.save_pretrained(folder / "language_model")
    bare = load_backbone(folder, device="cpu")
    assert isinstance(bare, AudioLDM2Backbone)
    for ours, own in zip(estimate(bare), estimate(backbone_of(pipeline)), strict=True):
        torch.testing.assert_close(ours, own, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 1e-2), ("bfloat16", 1e-1)])
def test_half_precision_is_close_and_comes_back_as_float32(
    pipeline: AudioLDM2Pipeline, saved: Path, dtype: str, tolerance: float
) -> None:
    half = load_backbone(saved, device="cpu", dtype=dtype)
    assert isinstance(half, AudioLDM2Backbone)
    assert half.dtype == resolve_dtype(dtype)
    for rough, exact in zip(estimate(half), estimate(backbone_of(pipeline)), strict=True):
        assert rough.dtype == torch.float32
        assert (rough - exact).norm() < tolerance * exact.norm()
    assert half.encode_audio(torch.randn(1, 1, 2000)).shape == (1, 4, 4, 16)


def test_fingerprint_follows_the_weights(pipeline: AudioLDM2Pipeline, folder: Path, saved: Path) -> None:
    first = load_backbone(saved, device="cpu").fingerprint
    assert first is not None
    assert load_backbone(folder, device="cpu").fingerprint == first
    weights = folder / "language_model" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert load_backbone(folder, device="cpu").fingerprint != first
    assert backbone_of(pipeline).fingerprint is None


@pytest.mark.parametrize("part", COMPONENTS)
def test_a_missing_part_is_named_in_one_line(folder: Path, part: str) -> None:
    shutil.rmtree(folder / part)
    with pytest.raises(ModelError, match=f"cannot load {part} of the model") as caught:
        load_backbone(folder, device="cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("part", ["vae", "text_encoder", "unet", "vocoder"])
def test_damaged_weights_are_named_in_one_line(folder: Path, part: str) -> None:
    (weights,) = (folder / part).glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ModelError, match=f"cannot load {part} of the model") as caught:
        load_backbone(folder, device="cpu")
    assert "\n" not in str(caught.value)


def test_a_model_that_speaks_a_transcription_is_refused(pipeline: AudioLDM2Pipeline, folder: Path) -> None:
    shutil.rmtree(folder / "text_encoder_2")
    (folder / "text_encoder_2").mkdir()
    (folder / "text_encoder_2" / "config.json").write_text(json.dumps({"model_type": "vits"}))
    with pytest.raises(ModelError, match="is of type 'vits': unheard runs AudioLDM 2 with 't5' only"):
        load_backbone(folder, device="cpu")
    own = pipeline.text_encoder_2
    assert isinstance(own, T5EncoderModel)
    pipeline.text_encoder_2 = VitsModel.__new__(VitsModel)
    pipeline.text_encoder_2.__dict__["config"] = VitsConfig()
    try:
        with pytest.raises(ModelError, match="the text_encoder_2 of random is of type 'vits'"):
            backbone_of(pipeline)
    finally:
        pipeline.text_encoder_2 = own


def test_a_scheduler_of_other_times_is_refused(folder: Path) -> None:
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps({"shift": 1.0}))
    with pytest.raises(ModelError, match="has no betas"):
        load_backbone(folder, device="cpu")


def test_a_unet_without_a_length_is_refused(folder: Path) -> None:
    config = json.loads((folder / "unet" / "config.json").read_text())
    (folder / "unet" / "config.json").write_text(json.dumps({**config, "sample_size": None}))
    with pytest.raises(ModelError, match="has sample_size None"):
        load_backbone(folder, device="cpu")
