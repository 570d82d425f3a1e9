"""Random weights that have an effect: what starts at zero in training is drawn like the rest."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def draw_zeros(module: nn.Module, deviation: float = 0.2) -> None:
    """Draw every parameter that is all zeros, with torch's own generator."""
    for parameter in module.parameters():
        if not parameter.any():
            parameter.normal_(0, deviation)
