"""The toy maps of the numerical contract, on which the golden guidance steps were recorded, in float64.

Written the plain way, one formula a method, so that they serve as the oracle of the guidance's tests.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

GOLDEN = Path(__file__).parent / "golden"


def golden(name: str) -> dict[str, Any]:
    return json.loads((GOLDEN / name).read_text())


@dataclass(frozen=True)
class ToyConditioning:
    """A caption is an array [channels, frames]; batched, [batch, channels, frames]."""

    arrays: Tensor

    def __len__(self) -> int:
        return len(self.arrays)

    def select(self, samples: list[int]) -> ToyConditioning:
        return ToyConditioning(self.arrays[samples])

    def blended(self, other: ToyConditioning, share: float) -> ToyConditioning:
        return ToyConditioning(share * self.arrays + (1 - share) * other.arrays)

    @staticmethod
    def cat(parts: list[ToyConditioning]) -> ToyConditioning:
        return ToyConditioning(torch.cat([part.arrays for part in parts]))


class ToyIndex:
    """Exact cosine search over a handful of unit vectors."""

    def __init__(self, embeddings: Tensor) -> None:
        self.unit = unit(embeddings)

    def search(self, queries: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
        best = (queries @ self.unit.T).topk(k)
        return best.values, best.indices

    def vectors(self, positions: Tensor) -> Tensor:
        return self.unit[positions]


class ToyWorld:
    """Denoiser, decoder, embedder, captions and index of golden/amg_step.json."""

    def __init__(self) -> None:
        data = golden("amg_step.json")
        self.cases: list[dict[str, Any]] = data["cases"]
        self.trim: int = data["shapes"]["trim"]
        self.M, self.P, self.Q = (torch.tensor(data[name], dtype=torch.float64) for name in "MPQ")
        self.captions = {name: torch.tensor(u, dtype=torch.float64) for name, u in data["captions"].items()}
        self.index = ToyIndex(torch.tensor(data["index"], dtype=torch.float64))

    def conditioning(self, *names: str) -> ToyConditioning:
        return ToyConditioning(torch.stack([self.captions[name] for name in names]))

    def unconditional(self, batch: int) -> ToyConditioning:
        return ToyConditioning(torch.zeros(batch, *self.captions["prompt0"].shape, dtype=torch.float64))

    def encode_neighbours(self, positions: list[int]) -> ToyConditioning:
        return self.conditioning(*[f"train{position}" for position in positions])

    def denoise(self, x: Tensor, sigma: Tensor, conditioning: ToyConditioning) -> Tensor:
        ab = (1 / (1 + sigma**2))[:, None, None]
        return x * ab + (1 - ab) * torch.tanh((x * ab.sqrt()) @ self.M + conditioning.arrays)

    def decode(self, denoised: Tensor) -> Tensor:
        y = denoised[:, :, : self.trim] @ self.P
        return y + 0.1 * y**3

    def embed(self, waveform: Tensor) -> Tensor:
        mono = waveform.mean(dim=1)
        return unit(mono / mono.abs().amax(dim=1, keepdim=True).clamp(min=1e-6) @ self.Q)


def unit(vectors: Tensor) -> Tensor:
    return vectors / vectors.norm(dim=-1, keepdim=True)
