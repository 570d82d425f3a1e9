"""What all kinds of guidance share: what they wrap, and what they tell of each step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import torch
from torch import Tensor


class Conditioning(Protocol):
    """What a backbone makes of prompts, a batch of them."""

    def __len__(self) -> int: ...

    def select(self, samples: list[int]) -> Self: ...

    def blended(self, other: Any, share: float) -> Any: ...

    @staticmethod
    def cat(parts: Sequence[Any]) -> Any: ...


Denoise = Callable[[Tensor, Tensor, Any], Tensor]


def predict_both(
    denoise: Denoise, x: Tensor, sigma: Tensor, unconditional_and_conditional: Any
) -> tuple[Tensor, Tensor]:
    """The unconditional and the conditional prediction of every sample, in one batched call."""
    predictions = denoise(torch.cat([x, x]), torch.cat([sigma, sigma]), unconditional_and_conditional)
    unconditional, conditional = predictions.chunk(2)
    return unconditional, conditional


class GuidanceWarning(UserWarning):
    """The guidance runs, but not all of it can act."""


@dataclass(frozen=True)
class Step:
    """What happened in one denoising step; lists have one entry a sample, and are None under plain guidance.

    Attributes:
        sigma: noise level of the step.
        similarity: cosine to the nearest training item, as the embedder hears the conditional prediction.
        threshold: similarity above which the guidance acts.
        neighbour: position of the nearest training item in the index.
        acted: whether the guidance acted.
        s1, s2: scales of despecification and deduplication at this similarity, applied where `acted`.
        way: position of the item under whose caption a detour goes on; none where it goes on without.
        share: what is left of the prompt in a detour's conditioning.
    """

    sigma: float
    similarity: list[float] | None = None
    threshold: list[float] | None = None
    neighbour: list[int | None] | None = None
    acted: list[bool] | None = None
    s1: list[float] | None = None
    s2: list[float] | None = None
    way: list[int | None] | None = None
    share: list[float | None] | None = None


class Denoiser(Protocol):
    """A guidance around a model's denoiser, for one trajectory; the sampler never learns what is in it."""

    trace: list[Step]

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoise x [batch, channels, frames] at the noise levels sigma [batch]."""
