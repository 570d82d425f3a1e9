"""A model in Stability AI's layout: what is read, what is refused, and that it is diffusers' model."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import native_stable_audio_3 as models
import native_stable_audio_3_reference as reference
import pytest
import torch
from diffusers import StableAudio3DiTModel
from diffusers.pipelines.stable_audio_3 import StableAudio3DurationEmbedder
from drawn import draw_zeros
from stable_audio_3_pipeline import stable_audio_3_pipeline

import unheard
from unheard.backbones import load_backbone
from unheard.backbones.native.text_encoder import NamedTextEncoder
from unheard.backbones.stable_audio_3.backbone import StableAudio3Backbone
from unheard.backbones.stable_audio_3.native.chunked import ChunkedResamplingBlock
from unheard.backbones.stable_audio_3.native.configuration import Configuration, read_configuration
from unheard.backbones.stable_audio_3.native.modules import build_modules
from unheard.errors import ModelError

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")

PARAMETERS = {
    "small": {"vae": 108_244_528, "duration_embedder": 197_376, "transformer": 459_131_648},
    "medium": {"vae": 852_127_072, "duration_embedder": 197_376, "transformer": 1_453_170_944},
}
TRANSFORMER = "model.diffusion.config"
ENCODER = "model.pretransform.config.encoder.config"
PROMPT = "model.conditioning.configs.0.config"


def changed(settings: dict[str, Any], keys: str, value: object) -> dict[str, Any]:
    """A copy with another value under keys joined by dots."""
    copied = copy.deepcopy(settings)
    *path, last = keys.split(".")
    inner: Any = copied
    for key in path:
        inner = inner[int(key)] if isinstance(inner, list) else inner[key]
    inner[last] = value
    return copied


def read(settings: object, folder: Path) -> Configuration:
    (folder / "model_config.json").write_text(json.dumps(settings))
    return read_configuration(folder / "model_config.json")


def published(size: str) -> dict[str, Any]:
    """A configuration with the sizes that diffusers' class and Stability AI's code for Apple's chips have."""
    settings = models.configurations()[size]
    inner = settings["model"]
    of_halves = {
        "small": {"channels": 128, "c_mults": [6], "transformer_depths": [6], "chunk_size": 32},
        "medium": {
            "channels": 256,
            "c_mults": [6],
            "transformer_depths": [12],
            "sliding_window": [1, 1],
        },
    }[size]
    autoencoder = inner["pretransform"]["config"]
    for half, of_patch in (("encoder", "in_channels"), ("decoder", "out_channels")):
        autoencoder[half]["config"] |= {
            **of_halves,
            of_patch: 512,
            "strides": [16],
            "latent_dim": 256,
            "dim_heads": 64,
        }
    autoencoder |= {"latent_dim": 256, "downsampling_ratio": 4096}
    autoencoder["pretransform"]["config"]["patch_size"] = 256
    autoencoder["bottleneck"]["config"]["dim"] = 256
    inner["conditioning"]["cond_dim"] = inner["diffusion"]["config"]["cond_token_dim"] = 768
    inner["io_channels"] = inner["diffusion"]["config"]["io_channels"] = 256
    inner["diffusion"]["config"] |= {
        "global_cond_dim": 768,
        "local_add_cond_dim": 257,
        "timestep_features_dim": 256,
        "num_memory_tokens": 64,
        "ff_kwargs": {"mult": 4},
        **(
            {"embed_dim": 1024, "depth": 20, "num_heads": 16}
            if size == "small"
            else {"embed_dim": 1536, "depth": 24, "num_heads": 24}
        ),
    }
    return settings | {"sample_rate": 44_100, "sample_size": 4096 * 1292}


@pytest.mark.parametrize("size", ["small", "medium"])
def test_parameters_at_the_published_size(size: str, tmp_path: Path) -> None:
    modules = build_modules(read(published(size), tmp_path))
    found = {part: sum(each.numel() for each in module.parameters()) for part, module in modules.items()}
    assert found == PARAMETERS[size]


def test_what_is_read(tmp_path: Path) -> None:
    small, medium = (read(settings, tmp_path) for settings in models.configurations().values())
    assert (small.chunks and small.chunks.frames, medium.chunks) == (2, None)
    assert (small.objective, medium.objective) == ("rf_denoiser", "rectified_flow")
    assert small.text_encoder == NamedTextEncoder(
        "stabilityai/stable-audio-3-small-music", models.TEXT_ENCODER
    )
    assert small.max_tokens == models.MAX_TOKENS
    assert isinstance(build_modules(small)["vae"].encoder.blocks[0], ChunkedResamplingBlock)


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        ("model_type", "autoencoder"),
        (f"{TRANSFORMER}.norm_type", "layer_norm"),
        (f"{TRANSFORMER}.global_cond_type", "prepend"),
        (f"{TRANSFORMER}.patch_size", 2),
        (f"{TRANSFORMER}.of_tomorrow", True),
        ("model.diffusion.local_add_cond_ids", []),
        ("model.diffusion.diffusion_objective", "v"),
        (f"{ENCODER}.causal", True),
        (f"{ENCODER}.dyt", False),
        (f"{PROMPT}.padding_mode", "zero"),
        (f"{PROMPT}.repo_id", "somebody/else"),
        ("model.pretransform.config.bottleneck.type", "vae"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(tmp_path: Path, keys: str, value: object) -> None:
    settings = changed(models.configurations()["small"], keys, value)
    with pytest.raises(ModelError) as caught:
        read(settings, tmp_path)
    assert f"{keys} is {value!r}: " in str(caught.value)
    assert "\n" not in str(caught.value)


def wide_pipeline() -> Any:
    """diffusers' small pipeline, with heads and a duration as the native layout can say them."""
    made = stable_audio_3_pipeline()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        parts = {
            "transformer": StableAudio3DiTModel.from_config(
                {**made.transformer.config, "embed_dim": 128, "num_heads": 2}
            ),
            "duration_embedder": StableAudio3DurationEmbedder.from_config(
                {**made.duration_embedder.config, "fourier_dim": 256}
            ),
        }
        for part in parts.values():
            draw_zeros(part.eval())
    made.register_modules(**parts)
    return made


def test_both_layouts_are_one_model(tmp_path: Path) -> None:
    made = wide_pipeline()
    made.save_pretrained(tmp_path / "diffusers")
    native = tmp_path / "native"
    models.write(native, models.configuration_of(made), models.weights(made))
    made.text_encoder.save_pretrained(native / models.TEXT_ENCODER)
    ours, theirs = (
        load_backbone(folder, device="cpu", dtype="float32") for folder in (native, tmp_path / "diffusers")
    )
    assert isinstance(ours, StableAudio3Backbone)
    assert isinstance(theirs, StableAudio3Backbone)
    told = [each.encode(["A bell", "A slow piano"], [0.0, 0.0], [1.0, 2.0]) for each in (ours, theirs)]
    torch.testing.assert_close(told[0].cross_attention, told[1].cross_attention, rtol=0, atol=1e-6)
    x = torch.randn(2, ours.latent_shape[0], 20, generator=torch.Generator().manual_seed(0))
    # diffusers' pipeline leaves out the layers for inpainting, whose biases the native model adds.
    for block in ours.transformer.transformer_blocks:
        for module in block.to_local_embed:
            if getattr(module, "bias", None) is not None:
                torch.nn.init.zeros_(module.bias)
    estimates = [
        each.denoise(x, torch.tensor([0.5, 30.0]), of) for each, of in zip((ours, theirs), told, strict=True)
    ]
    assert (
        estimates[1] - theirs.denoise(x, torch.tensor([0.5, 30.0]), told[1].select([1, 0]))
    ).abs().max() > 1e-3
    torch.testing.assert_close(*estimates, rtol=0, atol=1e-6)
    torch.testing.assert_close(ours.decode(x[:1]), theirs.decode(x[:1]), rtol=0, atol=1e-6)
    waveform = 0.1 * torch.randn(1, 2, 20 * ours.hop_length, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(ours.encode_audio(waveform), theirs.encode_audio(waveform), rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", ["small", "medium"])
def test_a_sound_by_way_of_the_whole_program(tmp_path: Path, size: str) -> None:
    model = unheard.load(reference.write_model(tmp_path / size, size), device="cpu")
    (sound,) = model.generate(
        "A bell", seed=1, guidance=None, index=None, num_inference_steps=2, duration=1.0
    )
    assert sound.waveform.shape[-1] == models.SAMPLE_RATE
    assert sound.waveform.std() > 1e-3


@torch.no_grad()
def test_chunks_in_pieces_are_the_whole(tmp_path: Path) -> None:
    backbone = load_backbone(reference.write_model(tmp_path / "small", "small"), device="cpu")
    assert isinstance(backbone, StableAudio3Backbone)
    z = torch.randn(1, models.CHANNELS, 301, generator=torch.Generator().manual_seed(0))
    whole = backbone.vae.decode(z).sample
    assert (backbone.decode(z) - whole).abs().max() < 1e-5 * whole.abs().max()
    latents = backbone.vae.encode(whole).latents
    assert (backbone.encode_audio(whole) - latents).abs().max() < 1e-5 * latents.abs().max()
