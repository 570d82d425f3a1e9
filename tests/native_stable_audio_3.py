"""Small Stable Audio 3 models in Stability AI's layout, and the same weights in diffusers' classes.

`weights` names them from diffusers' modules, one by one, and not by turning the package's renaming around.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import deterministic_weights
import stable_audio_3_pipeline
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import GemmaTokenizer, T5GemmaModel

SAMPLE_RATE, SAMPLE_SIZE = 2_000, 19_200
PATCH, STRIDE, CHANNELS = 16, 4, 8
DIMENSION, MAX_TOKENS = stable_audio_3_pipeline.DIMENSION, stable_audio_3_pipeline.MAX_TOKENS
MAX_SECONDS = 12.0
TEXT_ENCODER = "t5gemma-b-b-ul2"


def configurations() -> dict[str, dict[str, Any]]:
    """As "small" and "medium" are published, but for their sizes; the first alone is distilled."""
    small = {"chunk_size": 8, "chunk_midpoint_shift": True, "dyt": True}
    medium = {"sliding_window": [1, 1], "use_snake": False, "conv_bias": False, "mapping_style": "none"}
    return {
        "small": _configuration(
            encoder={**small, "conv_mapping": False, "transformer_depths": [4]},
            decoder={**small, "conv_mapping": True, "transformer_depths": [4], "sinusoidal_blocks": [0]},
            attention={"qk_norm": "rms"},
            objective="rf_denoiser",
            kind="same",
        ),
        "medium": _configuration(
            encoder={**medium, "transformer_depths": [3]},
            decoder={**medium, "transformer_depths": [3], "sinusoidal_blocks": [2]},
            attention={"qk_norm": "rms", "differential": True},
            objective="rectified_flow",
            kind="taae_v2",
        ),
    }


def _configuration(
    encoder: dict[str, Any], decoder: dict[str, Any], attention: dict[str, Any], objective: str, kind: str
) -> dict[str, Any]:
    shared = {
        "channels": 8,
        "c_mults": [4],
        "strides": [STRIDE],
        "latent_dim": CHANNELS,
        "dim_heads": 16,
        "differential": True,
        "variable_stride": True,
        "checkpointing": False,
    }
    ids = ["prompt", "seconds_total"]
    repository = {"repo_id": "stabilityai/stable-audio-3-small-music", "subfolder": TEXT_ENCODER}
    return {
        "model_type": "diffusion_cond_inpaint",
        "sample_size": SAMPLE_SIZE,
        "sample_rate": SAMPLE_RATE,
        "audio_channels": 2,
        "model": {
            "pretransform": {
                "type": "autoencoder",
                "iterate_batch": True,
                "chunked": False,
                "config": {
                    "pretransform": {"type": "patched", "config": {"patch_size": PATCH, "channels": 2}},
                    "encoder": {"type": kind, "config": {"in_channels": 2 * PATCH, **shared, **encoder}},
                    "decoder": {"type": kind, "config": {"out_channels": 2 * PATCH, **shared, **decoder}},
                    "bottleneck": {
                        "type": "softnorm",
                        "config": {
                            "dim": CHANNELS,
                            "noise_augment_dim": 0,
                            "auto_scale": True,
                            "freeze": True,
                        },
                    },
                    "latent_dim": CHANNELS,
                    "downsampling_ratio": PATCH * STRIDE,
                    "io_channels": 2,
                },
            },
            "conditioning": {
                "configs": [
                    {
                        "id": "prompt",
                        "type": "t5gemma",
                        "config": {"max_length": MAX_TOKENS, "padding_mode": "learned", **repository},
                    },
                    {
                        "id": "seconds_total",
                        "type": "number",
                        "config": {"min_val": 0, "max_val": MAX_SECONDS, "fourier_features_type": "expo"},
                    },
                ],
                "cond_dim": DIMENSION,
            },
            "diffusion": {
                "type": "dit",
                "diffusion_objective": objective,
                "cross_attention_cond_ids": ids,
                "global_cond_ids": ids[1:],
                "local_add_cond_ids": ["inpaint_mask", "inpaint_masked_input"],
                "mask_padding_attention": True,
                "use_effective_length_for_schedule": True,
                "distribution_shift_options": {"min_length": 256, "max_length": 4096},
                "config": {
                    "io_channels": CHANNELS,
                    "embed_dim": 128,
                    "depth": 2,
                    "num_heads": 2,
                    "cond_token_dim": DIMENSION,
                    "global_cond_dim": DIMENSION,
                    "local_add_cond_dim": 1 + CHANNELS,
                    "transformer_type": "continuous_transformer",
                    "global_cond_type": "adaLN",
                    "timestep_features_type": "expo",
                    "timestep_features_dim": 32,
                    "norm_type": "rms_norm",
                    "norm_kwargs": {"force_fp32": True},
                    "attn_kwargs": attention,
                    "ff_kwargs": {"mult": 2.0},
                    "num_memory_tokens": 4,
                },
            },
            "io_channels": CHANNELS,
        },
        "training": {"use_ema": True},
    }


def tokenizer() -> GemmaTokenizer:
    return stable_audio_3_pipeline.gemma_tokenizer()


def text_encoder() -> T5GemmaModel:
    """A small T5Gemma with deterministic weights, whole as it is published."""
    config = stable_audio_3_pipeline.text_configuration(len(tokenizer()))
    config.is_encoder_decoder = True
    return deterministic_weights.fill(T5GemmaModel(config), "t5gemma.").eval().requires_grad_(False)


def write(folder: Path, settings: dict[str, Any], named: Mapping[str, Tensor]) -> Path:
    """A folder as Stability AI's repositories are."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model_config.json").write_text(json.dumps(settings, indent=2), encoding="utf-8")
    save_file({name: weight.contiguous() for name, weight in named.items()}, folder / "model.safetensors")
    write_text_encoder(folder / TEXT_ENCODER)
    return folder


def write_text_encoder(folder: Path) -> None:
    """The text encoder and its tokenizer, as they lie beside a checkpoint."""
    text_encoder().save_pretrained(folder)
    tokenizer().save_pretrained(folder)


def configuration_of(pipeline: Any) -> dict[str, Any]:
    """The `model_config.json` of a pipeline of diffusers: distilled or not, and with a sliding window."""
    vae, transformer = pipeline.vae.config, pipeline.transformer.config
    settings = configurations()["medium"]
    model = settings["model"]
    inner = model["pretransform"]["config"]
    hop_length = pipeline.vae.downsampling_ratio
    for half, sinusoidal in (("encoder", {}), ("decoder", {"sinusoidal_blocks": [2]})):
        inner[half]["config"] |= {
            "channels": vae.encoder_channels,
            "c_mults": list(vae.encoder_c_mults),
            "strides": list(vae.encoder_strides),
            "transformer_depths": list(vae.encoder_transformer_depths),
            "latent_dim": vae.latent_dim,
            "dim_heads": vae.dim_heads,
            **sinusoidal,
        }
    inner["encoder"]["config"]["in_channels"] = inner["decoder"]["config"]["out_channels"] = (
        2 * vae.patch_size
    )
    inner["pretransform"]["config"]["patch_size"] = vae.patch_size
    inner["downsampling_ratio"] = hop_length
    model["conditioning"]["configs"][1]["config"]["max_val"] = pipeline.duration_embedder.config.max_val
    model["diffusion"]["config"] |= {
        "embed_dim": transformer.embed_dim,
        "depth": transformer.depth,
        "num_heads": transformer.num_heads,
        "timestep_features_dim": transformer.timestep_features_dim,
        "num_memory_tokens": transformer.num_memory_tokens,
        "norm_kwargs": {"eps": 1e-6},
    }
    seconds = pipeline.duration_embedder.config.max_val
    return settings | {
        "sample_rate": vae.sampling_rate,
        "sample_size": int(vae.sampling_rate * seconds) // hop_length * hop_length,
    }


def weights(pipeline: Any) -> dict[str, Tensor]:
    """A pipeline's weights as Stability AI's code calls them."""
    named = {
        **{f"model.model.{name}": weight for name, weight in _transformer(pipeline.transformer)},
        **{f"pretransform.model.{name}": weight for name, weight in _autoencoder(pipeline.vae)},
        "conditioner.conditioners.prompt.padding_embedding": pipeline.transformer.prompt_padding_embedding,
    }
    for leaf, weight in pipeline.duration_embedder.linear.state_dict().items():
        named[f"conditioner.conditioners.seconds_total.embedder.embedding.1.{leaf}"] = weight
    return {name: weight.detach().clone().contiguous() for name, weight in named.items()}


def _transformer(transformer: Any) -> Iterator[tuple[str, Tensor]]:
    same = ("to_timestep_embed", "to_cond_embed", "to_global_embed", "preprocess_conv", "postprocess_conv")
    for name in same:
        yield from _under(name, getattr(transformer, name))
    yield from _under("transformer.global_cond_embedder", transformer.global_cond_embedder)
    yield from _under("transformer.project_in", transformer.proj_in)
    yield from _under("transformer.project_out", transformer.proj_out)
    yield "transformer.memory_tokens", transformer.memory_tokens
    yield "transformer.rotary_pos_emb.inv_freq", transformer.rotary_pos_emb.inv_freq
    for number, block in enumerate(transformer.transformer_blocks):
        layer = f"transformer.layers.{number}"
        yield f"{layer}.to_scale_shift_gate", block.to_scale_shift_gate
        for name in ("pre_norm", "cross_attend_norm", "ff_norm", "cross_attn", "to_local_embed"):
            yield from _under(f"{layer}.{name}", getattr(block, name))
        yield from _attention(f"{layer}.self_attn", block.self_attn)
        yield from _under(f"{layer}.ff.ff.0.proj", block.ff.proj_in)
        yield from _under(f"{layer}.ff.ff.2", block.ff.proj_out)


def _autoencoder(vae: Any) -> Iterator[tuple[str, Tensor]]:
    yield "bottleneck.scaling_factor", vae.bottleneck.scale
    yield "bottleneck.bias", vae.bottleneck.bias
    yield "bottleneck.running_std", vae.bottleneck.running_std
    yield "bottleneck.noise_scaling_factor", torch.ones(1, 0, 1)
    blocks = len(vae.encoder.blocks)
    for half, own, first, projection in (
        ("encoder", vae.encoder, 0, blocks + 1),
        ("decoder", vae.decoder, 3, 1),
    ):
        yield from _under(f"{half}.layers.{projection}", own.proj)
        for level, block in enumerate(own.blocks):
            layer = f"{half}.layers.{first + level}"
            yield f"{layer}.new_tokens", block.new_tokens
            yield from _under(f"{layer}.mapping", block.mapping)
            for number, inner in enumerate(block.transformers):
                name = f"{layer}.transformers.{number}"
                yield from _under(f"{name}.pre_norm", inner.norm_attn)
                yield from _under(f"{name}.ff_norm", inner.norm_ff)
                yield from _attention(f"{name}.self_attn", inner.attn)
                yield f"{name}.rope.inv_freq", inner.attn.rope.inv_freq
                yield from _under(f"{name}.ff.ff.0.proj", inner.ff.proj_in)
                yield from _under(f"{name}.ff.ff.2", inner.ff.proj_out)


def _attention(name: str, attention: Any) -> Iterator[tuple[str, Tensor]]:
    queries, more_queries, keys, more_keys, values = attention.to_qkv.weight.chunk(5)
    stacked = torch.cat([queries, keys, values, more_queries, more_keys])
    yield f"{name}.to_qkv.weight", stacked
    for part in ("to_out", "q_norm", "k_norm"):
        yield from _under(f"{name}.{part}", getattr(attention, part))


def _under(name: str, module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for leaf, weight in module.state_dict().items():
        yield f"{name}.{leaf}", weight
