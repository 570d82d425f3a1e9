"""A pipeline of diffusers in the layout of stable-audio-tools: its configuration, its weights by their names.

Each weight is named from diffusers' modules, one by one, and not by turning the package's renaming around.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from diffusers import StableAudioDiTModel, StableAudioPipeline
from diffusers.pipelines.stable_audio import StableAudioProjectionModel
from torch import Tensor, nn


def configuration(made: StableAudioPipeline) -> dict[str, Any]:
    """The `model_config.json` of a pipeline."""
    vae, transformer = made.vae.config, made.transformer.config
    dimension = transformer.cross_attention_input_dim
    shared = {
        "c_mults": list(vae.channel_multiples),
        "strides": list(vae.downsampling_ratios),
        "use_snake": True,
    }
    seconds = {
        "min_val": made.projection_model.config.min_value,
        "max_val": made.projection_model.config.max_value,
    }
    times = ["seconds_start", "seconds_total"]
    hop_length = int(made.vae.hop_length)
    return {
        "model_type": "diffusion_cond",
        "sample_size": transformer.sample_size * hop_length,
        "sample_rate": vae.sampling_rate,
        "audio_channels": vae.audio_channels,
        "model": {
            "pretransform": {
                "type": "autoencoder",
                "iterate_batch": True,
                "config": {
                    "encoder": {
                        "type": "oobleck",
                        "config": {
                            "in_channels": vae.audio_channels,
                            "channels": vae.encoder_hidden_size,
                            "latent_dim": vae.encoder_hidden_size,
                            **shared,
                        },
                    },
                    "decoder": {
                        "type": "oobleck",
                        "config": {
                            "out_channels": vae.audio_channels,
                            "channels": vae.decoder_channels,
                            "latent_dim": vae.decoder_input_channels,
                            "final_tanh": False,
                            **shared,
                        },
                    },
                    "bottleneck": {"type": "vae"},
                    "latent_dim": vae.decoder_input_channels,
                    "downsampling_ratio": hop_length,
                    "io_channels": vae.audio_channels,
                },
            },
            "conditioning": {
                "configs": [
                    {
                        "id": "prompt",
                        "type": "t5",
                        "config": {"t5_model_name": "t5-base", "max_length": made.tokenizer.model_max_length},
                    },
                    *({"id": time, "type": "number", "config": dict(seconds)} for time in times),
                ],
                "cond_dim": dimension,
            },
            "diffusion": {
                "type": "dit",
                "cross_attention_cond_ids": ["prompt", *times],
                "global_cond_ids": list(times),
                "config": {
                    "io_channels": transformer.in_channels,
                    "embed_dim": transformer.attention_head_dim * transformer.num_attention_heads,
                    "depth": transformer.num_layers,
                    "num_heads": transformer.num_attention_heads,
                    "cond_token_dim": dimension,
                    "global_cond_dim": transformer.global_states_input_dim,
                    "project_cond_tokens": transformer.cross_attention_dim != dimension,
                    "transformer_type": "continuous_transformer",
                },
            },
            "io_channels": transformer.in_channels,
        },
        "training": {"learning_rate": 4e-5},
    }


def weights(made: StableAudioPipeline) -> dict[str, Tensor]:
    """The pipeline's weights as stable-audio-tools calls them."""
    named = {
        **{f"model.model.{name}": weight for name, weight in _transformer(made.transformer)},
        **{
            f"conditioner.conditioners.{name}": weight
            for name, weight in _conditioners(made.projection_model)
        },
        **{f"pretransform.model.{name}": weight for name, weight in _autoencoder(made.vae)},
    }
    return {name: weight.detach().clone().contiguous() for name, weight in named.items()}


def _transformer(transformer: StableAudioDiTModel) -> Iterator[tuple[str, Tensor]]:
    head = transformer.config.attention_head_dim
    yield "preprocess_conv.weight", transformer.preprocess_conv.weight
    yield "postprocess_conv.weight", transformer.postprocess_conv.weight
    yield "timestep_features.weight", transformer.time_proj.weight[:, None]
    for native, own in (
        ("to_timestep_embed", transformer.timestep_proj),
        ("to_global_embed", transformer.global_proj),
        ("to_cond_embed", transformer.cross_attention_proj),
    ):
        yield from _under(native, own)
    yield "transformer.project_in.weight", transformer.proj_in.weight
    yield "transformer.project_out.weight", transformer.proj_out.weight
    yield "transformer.rotary_pos_emb.inv_freq", 10_000 ** -(torch.arange(0, head // 2, 2) / (head // 2))
    for number, block in enumerate(transformer.transformer_blocks):
        layer = f"transformer.layers.{number}"
        for native, norm in (
            ("pre_norm", block.norm1),
            ("cross_attend_norm", block.norm2),
            ("ff_norm", block.norm3),
        ):
            yield f"{layer}.{native}.gamma", norm.weight
            yield f"{layer}.{native}.beta", norm.bias
        own, across = block.attn1, block.attn2
        stacked = torch.cat([own.to_q.weight, own.to_k.weight, own.to_v.weight])
        yield f"{layer}.self_attn.to_qkv.weight", stacked
        yield f"{layer}.self_attn.to_out.weight", own.to_out[0].weight
        yield f"{layer}.cross_attn.to_q.weight", across.to_q.weight
        yield f"{layer}.cross_attn.to_kv.weight", torch.cat([across.to_k.weight, across.to_v.weight])
        yield f"{layer}.cross_attn.to_out.weight", across.to_out[0].weight
        yield from _under(f"{layer}.ff.ff.0.proj", block.ff.net[0].proj)
        yield from _under(f"{layer}.ff.ff.2", block.ff.net[2])


def _conditioners(projection: StableAudioProjectionModel) -> Iterator[tuple[str, Tensor]]:
    yield from _under("prompt.proj_out", projection.text_projection)
    for native, own in (
        ("seconds_start", projection.start_number_conditioner),
        ("seconds_total", projection.end_number_conditioner),
    ):
        yield from _under(f"{native}.embedder.embedding", own.time_positional_embedding)


def _autoencoder(vae: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for name, half in (("encoder", vae.encoder), ("decoder", vae.decoder)):
        blocks = [
            [block.res_unit1, block.res_unit2, block.res_unit3, block.snake1, block.conv1]
            if name == "encoder"
            else [block.snake1, block.conv_t1, block.res_unit1, block.res_unit2, block.res_unit3]
            for block in half.block
        ]
        for number, layer in enumerate([half.conv1, *blocks, half.snake1, half.conv2]):
            for path, module in _leaves(f"{name}.layers.{number}", layer):
                for leaf, weight in module.state_dict().items():
                    yield f"{path}.{leaf}", weight.flatten() if leaf in ("alpha", "beta") else weight


def _leaves(path: str, layer: Any) -> Iterator[tuple[str, nn.Module]]:
    if isinstance(layer, list):
        for number, each in enumerate(layer):
            yield from _leaves(f"{path}.layers.{number}", each)
    elif hasattr(layer, "snake2"):
        yield from _leaves(path, [layer.snake1, layer.conv1, layer.snake2, layer.conv2])
    else:
        yield path, layer


def _under(name: str, module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for leaf, weight in module.state_dict().items():
        yield f"{name}.{leaf}", weight
