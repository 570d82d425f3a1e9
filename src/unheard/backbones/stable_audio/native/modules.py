"""Diffusers' classes as a configuration has them, filled with the weights of a checkpoint.

They are built without memory of their own, and take over each weight as it is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from unheard.backbones.stable_audio.library import (
    AutoencoderOobleck,
    StableAudioDiTModel,
    StableAudioProjectionModel,
)
from unheard.backbones.stable_audio.native.configuration import TIMES, Configuration
from unheard.backbones.stable_audio.native.renaming import DROPPED, renamed
from unheard.errors import ModelError

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


def fill(
    modules: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    file: Path,
    device: torch.device,
    dtype: torch.dtype,
) -> None:
    """Give the modules the weights of a checkpoint, by their names there.

    Raises:
        ModelError: a weight is missing, or is one too many, or has another shape.
    """
    wanted = {part: module.state_dict() for part, module in modules.items()}
    blocks = len(modules["vae"].encoder.block)
    states: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for name, weight in weights.items():
        if name == DROPPED:
            continue
        place = renamed(name, blocks)
        if place is None or any(own not in wanted[place.part] for own in place.names):
            raise ModelError(
                f"{file} holds {name}, which the configuration beside it has not: take the right one"
            )
        shapes = [wanted[place.part][own].shape for own in place.names]
        shares = weight.chunk(len(shapes))
        if [_lengths(share.shape) for share in shares] != [_lengths(shape) for shape in shapes]:
            raise ModelError(
                f"{file} holds {name} of shape {list(weight.shape)}, where the configuration beside it has "
                f"{len(shapes)} x {list(shapes[0])}: take the right one"
            )
        for own, shape, share in zip(place.names, shapes, shares, strict=True):
            # A copy: what was read may be a view of the file itself, which can change.
            states[place.part][own] = share.reshape(shape).to(device, dtype, copy=True)
    for part, module in modules.items():
        if lacking := sorted(wanted[part].keys() - states[part].keys()):
            raise ModelError(f"{file} lacks the weights of {part}.{lacking[0]}: take a whole checkpoint")
        module.load_state_dict(states[part], assign=True)


def _lengths(shape: torch.Size) -> list[int]:
    """Those of a shape that say something: the two libraries differ in axes of length 1."""
    return [length for length in shape if length != 1]


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
