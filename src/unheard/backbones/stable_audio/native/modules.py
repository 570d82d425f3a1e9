"""Diffusers' classes as a configuration has them, without memory of their own."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from unheard.backbones.stable_audio.library import (
    AutoencoderOobleck,
    StableAudioDiTModel,
    StableAudioProjectionModel,
)
from unheard.backbones.stable_audio.native.configuration import TIMES, Configuration

QK_NORM_EPS = 1e-6
"""Under the root of the norms of queries and keys, as in stable-audio-tools."""


def build_modules(configuration: Configuration, text_dimension: int) -> dict[str, Any]:
    """The pipeline's vae, projection_model and transformer, on the meta device.

    Args:
        configuration: of the model.
        text_dimension: of the text encoder's states.
    """
    with torch.device("meta"):
        return {
            "vae": AutoencoderOobleck(**configuration.autoencoder),
            "projection_model": _projection_model(configuration, text_dimension),
            "transformer": _transformer(configuration),
        }


def _projection_model(configuration: Configuration, text_dimension: int) -> StableAudioProjectionModel:
    """diffusers' class, with a range for each time, and without a start where the model knows none."""
    dimension = configuration.conditioning_dimension
    model = StableAudioProjectionModel(text_dimension, dimension, *configuration.times[TIMES[-1]])
    if configuration.text_projection and isinstance(model.text_projection, nn.Identity):
        model.text_projection = nn.Linear(text_dimension, dimension)
    if TIMES[0] in configuration.times:
        start = model.start_number_conditioner
        start.min_value, start.max_value = configuration.times[TIMES[0]]
    else:
        model.start_number_conditioner = None
    return model


def _transformer(configuration: Configuration) -> StableAudioDiTModel:
    """diffusers' class; its attention normalises queries and keys, head by head, if it is given the norms."""
    transformer = StableAudioDiTModel(**configuration.transformer)
    if configuration.qk_norm:
        for block in transformer.transformer_blocks:
            for attention in (block.attn1, block.attn2):
                head = configuration.transformer["attention_head_dim"]
                attention.norm_q = nn.LayerNorm(head, eps=QK_NORM_EPS)
                attention.norm_k = nn.LayerNorm(head, eps=QK_NORM_EPS)
    return transformer
