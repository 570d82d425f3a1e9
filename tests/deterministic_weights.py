"""Numbers that look random, are the same on every machine, and belong to a name: weights without a file."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


def uniform(name: str, shape: Sequence[int]) -> Tensor:
    """Numbers of mean 0 and variance 1 that a name stands for, in float32."""
    count = torch.arange(math.prod(shape), dtype=torch.float64)
    waves = torch.sin(12.9898 * count + zlib.crc32(name.encode()) % 100_003) * 43758.5453
    return ((waves - waves.floor() - 0.5) * math.sqrt(12)).float().reshape(tuple(shape))


def weight(name: str, shape: Sequence[int]) -> Tensor:
    """A weight of a network by its name: matrices keep the variance of their inputs, norms are near 1."""
    drawn = uniform(name, shape)
    if name.endswith(("timestep_features.weight", "time_proj.weight", "embedding.0.weights")):
        return drawn
    if name.endswith(("weight_g", "magnitude", "magnitude_r", "magnitude_c", "running_std", "norm.alpha")):
        return 1 + 0.2 * drawn
    if name.endswith(("gamma", "_norm.weight", "layer_norm.weight")):
        return 1 + 0.1 * drawn
    if len(shape) > 1:
        return drawn / math.sqrt(math.prod(shape[1:]))
    return 0.1 * drawn


def weights(shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """Those of a model of stable-audio-tools, by their names; norms without a bias have zeros for one."""
    return {
        name: torch.zeros(shape)
        if name.startswith("model.model.") and name.endswith((".beta", "inv_freq"))
        else weight(name, shape)
        for name, shape in shapes.items()
    }


def fill(module: nn.Module, prefix: str = "") -> nn.Module:
    """Give every parameter of a module its weight."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(weight(prefix + name, parameter.shape))
    return module
