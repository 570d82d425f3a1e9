"""One model in both layouts, stable-audio-tools' and diffusers': the same sounds."""

from __future__ import annotations

import shutil
from pathlib import Path

import deterministic_weights
import native_models
import pytest
import torch
from diffusers import StableAudioPipeline
from torch import Tensor

import unheard
from lab.native_layout import configuration, weights
from unheard.backbones import load_backbone
from unheard.backbones.stable_audio.backbone import StableAudioBackbone
from unheard.diffusion.parameterisation import VPrediction
from unheard.errors import InputError, ModelError

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*weight_norm.*:FutureWarning", "ignore:Should have .*:UserWarning:torchsde"
)


def load(folder: str | Path, dtype: str = "float32") -> StableAudioBackbone:
    loaded = load_backbone(folder, device="cpu", dtype=dtype)
    assert isinstance(loaded, StableAudioBackbone)
    return loaded


def latents(folder: Path) -> Tensor:
    """Of a sound, by way of the whole program."""
    model, kept = unheard.load(folder, device="cpu"), []
    decode = model.backbone.decode
    model.backbone.decode = lambda latents: (kept.append(latents), decode(latents))[1]  # type: ignore[method-assign]
    model.generate("A bell", seed=1, guidance=None, index=None, num_inference_steps=4, duration=1.0)
    return kept[0]


def test_both_layouts_make_the_same_latents(native: Path, diffusers: Path) -> None:
    ours, theirs = latents(native), latents(diffusers)
    assert theirs.std() > 0.1
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_both_layouts_estimate_the_same(native: Path, diffusers: Path) -> None:
    estimates = []
    for backbone in (load(native), load(diffusers)):
        told = backbone.encode(["A bell", "A slow piano"], [0.0, 1.0], [1.0, 8.0])
        x = torch.randn(2, *backbone.latent_shape, generator=torch.Generator().manual_seed(0))
        estimate = backbone.denoise(x, torch.tensor([0.5, 30.0]), told)
        other = backbone.denoise(x, torch.tensor([0.5, 30.0]), told.select([1, 0]))
        assert (estimate - other).abs().max() > 0.01
        estimates += [estimate, backbone.decode(estimate[..., :8])]
    for ours, theirs in zip(estimates[:2], estimates[2:], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_the_bundled_autoencoder_and_text_encoder_in_the_native_layout(tmp_path: Path) -> None:
    bundled = load("tiny")
    made = StableAudioPipeline(
        vae=bundled.vae,
        text_encoder=bundled.text_encoder,
        tokenizer=bundled.tokenizer,
        projection_model=bundled.projection_model,
        transformer=deterministic_weights.fill(native_models.transformer_for(bundled.vae, 192, frames=128)),
        scheduler=None,
    )
    settings, named = configuration(made), weights(made)
    folder = native_models.write(tmp_path / "native", settings, named)
    made.text_encoder.save_pretrained(folder / "t5-base")
    made.tokenizer.save_pretrained(folder / "t5-base")
    ours = load(folder)
    theirs = StableAudioBackbone(
        made.vae, made.text_encoder, made.tokenizer, made.projection_model, made.transformer, VPrediction()
    )
    prompt = ["An acoustic drum loop, 110 bpm"], [0.0], [4.0]
    x = torch.ones(1, *ours.latent_shape)
    estimates = [each.denoise(x, torch.ones(1), each.encode(*prompt)) for each in (ours, theirs)]
    torch.testing.assert_close(*estimates, rtol=0, atol=1e-6)
    decoded = [each.decode(estimates[0][..., :8]) for each in (ours, theirs)]
    torch.testing.assert_close(*decoded, rtol=0, atol=1e-6)


def test_half_precision_is_loaded_as_half_precision(native: Path) -> None:
    half = load(native, dtype="float16")
    assert {parameter.dtype for parameter in half.transformer.parameters()} == {torch.float16}
    assert half.vae.dtype == half.text_encoder.dtype == half.projection_model.dtype == torch.float16


def test_options_that_a_model_does_not_take_are_named(diffusers: Path, native: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="is a StableAudioPipeline, which takes no text_encoder: leave it out"
    ):
        load_backbone(diffusers, text_encoder=native / "t5-base")
    elsewhere = shutil.copytree(native, tmp_path / "model")
    (elsewhere / "t5-base").rename(tmp_path / "encoder")
    loaded = load_backbone(elsewhere, device="cpu", text_encoder=tmp_path / "encoder")
    assert loaded.fingerprint == load(native).fingerprint
    with pytest.raises(ModelError, match=r"there is no folder .*nowhere of a text encoder"):
        load_backbone(elsewhere, device="cpu", text_encoder=tmp_path / "nowhere")
