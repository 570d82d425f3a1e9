"""Anti-memorization guidance as pure functions on tensors.

Equations of Messina et al. 2025 (arXiv 2509.14934), after Chen et al. 2024 (arXiv 2404.00922), written in
variance-exploding coordinates: `x = x0 + sigma * eps`, and a denoiser `D(x, sigma; c)` that estimates `x0`.

    guided = D_u + s0 (D_c - D_u) + [similarity > threshold] (G_spe + G_dup + G_sim)

`D_u`, `D_c`, `D_N` are the predictions without a prompt, for the prompt, and for the caption of the nearest
training item; they and the gradient have shape [batch, ...]. `sigma`, `similarity`, `s1` and `s2` have shape
[batch]: every sample has its own. `s0` is the scale of classifier-free guidance, `c1, c2, c3, lambda_min,
lambda_max` are the paper's.
"""

from __future__ import annotations

import torch
from torch import Tensor

from unheard.diffusion.prediction import per_sample


def alpha_bar(sigma: Tensor) -> Tensor:
    """Share of the signal in the variance of the noisy sample, `1 / (1 + sigma^2)`, in (0, 1]."""
    return 1 / (1 + sigma**2)


def threshold(sigma: Tensor, lambda_min: float, lambda_max: float) -> Tensor:
    """Similarity above which the guidance acts: `lambda_min` in pure noise, `lambda_max` at the end.

    Parabolic in `alpha_bar`, hence falling in `sigma`.
    """
    return lambda_min + (lambda_max - lambda_min) * alpha_bar(sigma) ** 2


def despecification_scale(similarity: Tensor, c1: float, s0: float) -> Tensor:
    """`s1 = clamp(c1 * similarity, 0, s0 - 1)`: how far the guidance scale is lowered, never below 1."""
    return (c1 * similarity).clamp(min=0, max=_room(s0))


def deduplication_scale(similarity: Tensor, c2: float, s0: float, s1: Tensor) -> Tensor:
    """`s2 = clamp(c2 * similarity, 0, s0 - s1 - 1)`: how strongly to turn from the neighbour's caption."""
    # minimum, not clamp: the upper bound is another one for each sample
    return (c2 * similarity).clamp(min=0).minimum(_room(s0) - s1)


def unconditional_weight(s0: float, s1: Tensor, s2: Tensor) -> Tensor:
    """The factor `1 - s0 + s1 + s2` of `D_u` in the guided prediction where the gate is open.

    Exactly 0 where `s1` or `s2` is clamped from above: there `D_u` drops out.
    """
    # in the order in which the bound of s2 is computed, so that their difference is exactly 0
    return -((s0 - 1) - s1 - s2)


def despecification(unconditional: Tensor, conditional: Tensor, s1: Tensor) -> Tensor:
    """`G_spe = -s1 (D_c - D_u)`: follow the prompt less closely."""
    return -per_sample(s1, conditional) * (conditional - unconditional)


def deduplication(unconditional: Tensor, neighbour: Tensor, s2: Tensor) -> Tensor:
    """`G_dup = -s2 (D_N - D_u)`: turn away from the caption of the nearest training item."""
    return -per_sample(s2, neighbour) * (neighbour - unconditional)


def dissimilarity(gradient: Tensor, sigma: Tensor, c3: float, space: str) -> Tensor:
    """`G_sim = -c3 w(sigma) d similarity / d x`: step down the gradient of the similarity."""
    return -c3 * per_sample(dissimilarity_weight(sigma, space), gradient) * gradient


def dissimilarity_weight(sigma: Tensor, space: str) -> Tensor:
    """`w(sigma)` of the dissimilarity term.

    Args:
        sigma: noise levels, any shape.
        space: "denoised" is `sqrt(1 - alpha_bar)`, which the published code adds to the denoised estimate and
            which its weights (`c3 = 100`) mean. "noise" is `sigma^2`, the paper's `sqrt(1 - alpha_bar)` in
            noise-prediction space carried over exactly (`x = z / sqrt(alpha_bar)`, `D = x - sigma * eps`).
    """
    if space == "noise":
        return sigma**2
    if space == "denoised":
        # sqrt(1 - alpha_bar), in the form that loses no digits at small sigma
        return sigma / torch.sqrt(1 + sigma**2)
    raise ValueError(f"unknown dissimilarity space {space!r}: choose denoised or noise")


def _room(s0: float) -> float:
    """What `s1 + s2` may take from the guidance scale; none at a scale of 1 or less."""
    return max(s0 - 1, 0.0)
