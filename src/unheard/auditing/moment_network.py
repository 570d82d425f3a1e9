"""The network of moments: envelopes to a unit vector for each frame, and how much that frame says.

It hears what happens within .7 s. `python -m lab.moments` trains it to know a moment again in the same sound
with other microstructure, and to tell it from moments of other sounds of the family. The weights lie beside
this file.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from unheard.auditing.envelopes import BANDS

WEIGHTS = Path(__file__).with_suffix(".safetensors")
WIDTH, NUMBERS = 192, 64
SEEN = 14
"""Frames on either side of a frame that its vector and weight depend on."""
RANGE = 40.0
"""Decibels below the loudest band within a second that are heard."""
AROUND = 40
"""Frames on either side that are searched for the loudest: 1 s."""
FAINTEST = -3.0
"""Log likelihood ratio of two sounding frames below which it does not matter how unlike they are."""
ONE_SILENT = -2.0
"""Log likelihood ratio of a sounding frame and a silent one; two silent ones say nothing."""


class MomentNetwork(nn.Module):
    """Convolutions along time that see `SEEN` frames on either side: 29 in all, .7 s."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.first = nn.Conv1d(BANDS, width, 5, padding=2)
        self.residual = nn.ModuleList(
            [
                nn.Conv1d(width, width, 5, padding=2),
                nn.Conv1d(width, width, 5, padding=4, dilation=2),
                nn.Conv1d(width, width, 3, padding=6, dilation=6),
            ]
        )
        self.last = nn.Conv1d(width, NUMBERS + 1, 1)
        self.line = nn.Parameter(torch.tensor([12.0, -7.0]))

    def forward(self, levels: Tensor) -> tuple[Tensor, Tensor]:
        """Levels `[sounds, frames, BANDS]` to vectors `[sounds, frames, NUMBERS]` and weights, 0 to 2."""
        hidden = 3 * (levels - levels.mean(dim=2, keepdim=True)).transpose(1, 2)
        hidden = F.gelu(self.first(hidden))
        for layer in self.residual:
            hidden = hidden + F.gelu(layer(hidden))
        out = self.last(hidden).transpose(1, 2).float()
        return F.normalize(out[..., :-1], dim=2), 2 * torch.sigmoid(out[..., -1])

    def log_ratios(self, cosines: Tensor, weights: Tensor, both: Tensor, either: Tensor) -> Tensor:
        """Log likelihood ratios of pairs of frames, of one moment against different ones.

        Args:
            cosines: of their vectors.
            weights: the product of their weights.
            both, either: whether both sound, and whether one of them does.
        """
        heard = (self.line[0] * cosines + self.line[1]).clamp(min=FAINTEST) * weights
        silent = torch.where(either, heard.new_tensor(ONE_SILENT), heard.new_tensor(0.0))
        return torch.where(both, heard, silent)


def levels(decibels: Tensor) -> Tensor:
    """Envelopes `[sounds, frames, BANDS]`, decibels, to 0 to 1: from `RANGE` below the loudest around to it.

    Where it is quieter than `RANGE` below the loudest of the whole sound, that is the loudest around.
    """
    top = F.max_pool1d(decibels.amax(dim=2)[:, None], 2 * AROUND + 1, 1, AROUND)[:, 0]
    top = torch.maximum(top, top.amax(dim=1, keepdim=True) - RANGE)
    return (decibels - top[:, :, None] + RANGE).clamp(min=0) / RANGE


@lru_cache(maxsize=1)
def trained() -> MomentNetwork:
    """The network with the weights that lie beside this file, float32, on the CPU."""
    return load(WEIGHTS)


def load(path: Path) -> MomentNetwork:
    """A network from its weights in a file."""
    weights = {name: value.float() for name, value in load_file(path).items()}
    network = MomentNetwork(len(weights["first.bias"]))
    network.load_state_dict(weights)
    return network.eval()
