"""Diffusers' classes as a configuration has them, without memory for the weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.utils import weight_norm

from unheard.backbones.stable_audio_3.library import (
    AutoencoderSAME,
    RotaryEmbedding,
    SAMEAttention,
    StableAudio3DiTModel,
    StableAudio3DurationEmbedder,
    StableAudio3RotaryEmbedding,
)
from unheard.backbones.stable_audio_3.native.chunked import ChunkedResamplingBlock
from unheard.backbones.stable_audio_3.native.configuration import Configuration


def build_modules(configuration: Configuration) -> dict[str, Any]:
    """The pipeline's vae, duration_embedder and transformer, their weights on the meta device.

    What follows from the configuration alone, frequencies, is there already.
    """
    with torch.device("meta"):
        vae, transformer = _autoencoder(configuration), StableAudio3DiTModel(**configuration.transformer)
    duration_embedder = StableAudio3DurationEmbedder(**configuration.duration)
    duration_embedder.linear.to("meta")
    for module in vae.modules():
        if isinstance(module, SAMEAttention):
            module.rope = RotaryEmbedding(module.dim_heads // 2)
    head = transformer.config.embed_dim // transformer.config.num_heads
    transformer.rotary_pos_emb = StableAudio3RotaryEmbedding(head // 2)
    for block in transformer.transformer_blocks:
        for norm in (block.pre_norm, block.cross_attend_norm, block.ff_norm):
            norm.eps = configuration.norm_eps
        for attention in (block.self_attn, block.cross_attn):
            attention.q_norm.eps = attention.k_norm.eps = configuration.qk_norm_eps
    return {"vae": vae, "duration_embedder": duration_embedder, "transformer": transformer}


def _autoencoder(configuration: Configuration) -> AutoencoderSAME:
    """diffusers' class, where need be with blocks that attend in chunks, and convolve where they map."""
    vae, chunks = AutoencoderSAME(**configuration.autoencoder), configuration.chunks
    config = vae.config
    for half, sinusoidal in (
        (vae.encoder, config.encoder_sinusoidal_blocks),
        (vae.decoder, config.decoder_sinusoidal_blocks),
    ):
        if chunks is not None:
            (block,) = half.blocks
            half.blocks[0] = ChunkedResamplingBlock(
                chunks.frames,
                chunks.shifted,
                in_channels=block.in_channels,
                out_channels=block.out_channels,
                stride=block.stride,
                mode=block.mode,
                transformer_depth=len(block.transformers),
                dim_heads=config.dim_heads,
                use_differential=config.use_differential_attention,
                ff_mult=config.ff_mult,
                sinusoidal_blocks=sinusoidal[0],
            )
        for block in half.blocks:
            if block.mode in configuration.convolving and isinstance(block.mapping, nn.Conv1d):
                block.mapping = weight_norm(nn.Conv1d(block.in_channels, block.out_channels, 3, padding=1))
    return vae
