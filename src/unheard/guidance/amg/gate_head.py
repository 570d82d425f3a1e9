"""A gate without a decoder: a small network from latents straight to the embedder's space.

It is distilled from a model's decoder and the embedder behind it (Hinton et al. 2015, arXiv 1503.02531), on
the model's own predictions; `unheard train-gate` makes one. What it says only tells where the exact
similarity need not be asked: where even the margin above it, which is measured on trajectories that it was
not trained on, does not reach the threshold. Everything else of the guidance is exact.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F

from unheard.common.checks import require_at_least_zero, require_whole
from unheard.common.files import write_whole
from unheard.errors import InputError

FORMAT = 1
FIRST_KEY = "unheard_gate_head"
WIDTH, LAYERS, KERNEL, STRIDE = 96, 2, 5, 2


@dataclass(frozen=True)
class Fit:
    """What a head was made for, and how well it imitates that.

    Attributes:
        model: the model's name.
        fingerprint: of its weights, see `unheard.generation.model.Model.fingerprint`.
        embedder: SHA-256 of the embedder's weights.
        features: of a frame of latents.
        dimension: of the embedder's space.
        duration: seconds of the sounds that it knows.
        margin: how far a similarity may lie above what the head says, at least 0.
        trained: predictions that it was trained on.
        calibrated: predictions, of other captions, that the margin was set on.
        tested, beyond: predictions of further captions, and how many of them exceed the margin: no more
            decisions than these can differ at any threshold.
    """

    model: str
    fingerprint: str
    embedder: str
    features: int
    dimension: int
    duration: float
    margin: float
    trained: int
    calibrated: int
    tested: int
    beyond: int

    def __post_init__(self) -> None:
        for name in ("features", "dimension"):
            require_whole(name, getattr(self, name), 1)
        for name in ("trained", "calibrated", "tested", "beyond"):
            require_whole(name, getattr(self, name), 0)
        for name in ("duration", "margin"):
            require_at_least_zero(name, getattr(self, name))


class GateHead(nn.Module):
    """Latents of any number of frames to unit vectors, as decoder and embedder would give them.

    Args:
        features: of a frame.
        dimension: of the vectors.
    """

    def __init__(self, features: int, dimension: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(features, WIDTH, KERNEL, STRIDE, KERNEL // 2)
        self.layers = nn.ModuleList(nn.Conv1d(WIDTH, WIDTH, KERNEL, 1, KERNEL // 2) for _ in range(LAYERS))
        self.last = nn.Sequential(nn.Linear(3 * WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, dimension))

    def forward(self, latents: Tensor) -> Tensor:
        """Latents by frame [batch, features, frames] to unit vectors [batch, dimension]."""
        hidden = self.first(latents.float())
        for layer in self.layers:
            hidden = hidden + layer(F.gelu(hidden))
        hidden = F.gelu(hidden)
        # Mean, spread and peak over time: what sounds, how it changes, and what is loudest, since an embedder
        # divides by the peak.
        pooled = [hidden.mean(dim=-1), hidden.var(dim=-1, correction=0).add(1e-6).sqrt(), hidden.amax(dim=-1)]
        return F.normalize(self.last(torch.cat(pooled, dim=-1)), dim=-1)


def write(path: Path, head: GateHead, fit: Fit) -> None:
    """Write a head in half precision, whole or not at all; raises InputError where nothing can be written."""
    weights = {name: weight.half().contiguous().cpu() for name, weight in head.state_dict().items()}
    write_whole(path, save(weights, {FIRST_KEY: str(FORMAT), "fit": json.dumps(asdict(fit))}))


def read(path: Path, device: torch.device) -> tuple[GateHead, Fit]:
    """A head that `write` wrote, in float32, its weights held fixed.

    Raises:
        InputError: it is missing, or is none.
    """
    try:
        with safe_open(path, "pt") as file:
            told: dict[str, str] = file.metadata() or {}
            weights = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        fit = _fit(told)
        head = GateHead(fit.features, fit.dimension)
        head.load_state_dict(weights)
    except (OSError, SafetensorError, InputError, ValueError, TypeError, LookupError, RuntimeError) as error:
        why = " ".join(str(error).split())
        raise InputError(f"{path} is no gate head ({why}): make one with `unheard train-gate`") from error
    return head.to(device).eval().requires_grad_(False), fit


def _fit(told: dict[str, str]) -> Fit:
    if told.get(FIRST_KEY) != str(FORMAT):
        raise InputError(f"it lacks {FIRST_KEY} {FORMAT}")
    stored: dict[str, Any] = json.loads(told["fit"])
    return Fit(**{field.name: stored[field.name] for field in fields(Fit)})
