"""The two predictions of a denoising step, and what is made of them.

`D_u` and `D_c` are the estimates of `x0` without a prompt and with it, `[batch, ...]`, in variance-exploding
coordinates: `x = x0 + sigma * eps`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Denoise = Callable[[Tensor, Tensor, Any], Tensor]
"""`denoise(x, sigma, conditioning) -> denoised`, with sigma [batch] and a conditioning of as many samples."""


def predict_both(
    denoise: Denoise, x: Tensor, sigma: Tensor, unconditional_and_conditional: Any
) -> tuple[Tensor, Tensor]:
    """`D_u` and `D_c` of every sample, in one batched call."""
    predictions = denoise(torch.cat([x, x]), torch.cat([sigma, sigma]), unconditional_and_conditional)
    unconditional, conditional = predictions.chunk(2)
    return unconditional, conditional


def classifier_free(unconditional: Tensor, conditional: Tensor, scale: float | Tensor) -> Tensor:
    """Classifier-free guidance (Ho and Salimans 2022, arXiv 2207.12598): `D_u + scale (D_c - D_u)`."""
    return unconditional + scale * (conditional - unconditional)


def pull(conditional: Tensor, unconditional: Tensor) -> Tensor:
    """How far the prompt pulls the prediction: `sqrt(mean (D_c - D_u)^2)` of each sample [batch]; 0 or more.

    It is the norm of the difference of the noise predictions (Wen et al., ICLR 2024, arXiv 2407.21720) times
    `sigma / sqrt(values)`, so that one target serves latents of any size.
    """
    difference: Tensor = conditional - unconditional
    return difference.flatten(1).square().mean(dim=1).sqrt()


def noise_pull(conditional: Tensor, unconditional: Tensor, sigma: Tensor) -> Tensor:
    """The same as the norm of the difference of the noise predictions, `|D_c - D_u| / sigma` [batch]."""
    return pull(conditional, unconditional) * math.sqrt(conditional[0].numel()) / sigma


def alignment(conditional: Tensor, unconditional: Tensor, x: Tensor) -> Tensor:
    """The cosine of the guidance vector `s_c - s_u` and the score without a prompt `s_u` [batch], -1 to 1.

    A score is `(D - x) / sigma^2`, so it is the cosine of `D_c - D_u` and `D_u - x` (Asthana and Belagiannis
    2026, arXiv 2601.20642); 0 where the prompt changes nothing.
    """
    difference, score = (conditional - unconditional).flatten(1), (unconditional - x).flatten(1)
    return torch.cosine_similarity(difference.float(), score.float(), dim=1)


def per_sample(values: Tensor, like: Tensor) -> Tensor:
    """[batch] as [batch, 1, ...], to multiply tensors of shape `like`."""
    return values.reshape(-1, *[1] * (like.ndim - 1))
