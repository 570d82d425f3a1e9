"""What would become of a sound on its way: its finished latents, foreseen in a few steps.

In full noise a prediction is a mean over what a prompt may sound like. Beside the finished sound it tells
whether there is more than one sound to take the mean of, see `unheard.guidance.detour.gates.settled_pull`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from unheard.diffusion.samplers import Model, sample_dpmpp_2m

STEPS = 6
"""How many it takes; under the prompt alone, eight tell no more (docs/log.md)."""
HIGHEST, LOWEST = 100.0, 0.1
"""Noise levels between which they are taken, for latents of about unit spread."""


def foreseen(denoise: Model, x: Tensor, sigma: float) -> Tensor:
    """The finished latents [batch, *latent_shape] of `x` at a noise level, by DPM-Solver++(2M).

    The steps are evenly spaced in `log sigma`, and no fresh noise is drawn. Above `HIGHEST` nothing but noise
    is in `x`, which is scaled down to it.

    Args:
        denoise: `denoise(x, sigma [batch]) -> denoised`, such as the prediction under a prompt.
        x: latents with noise.
        sigma: how much, above 0.
    """
    highest = min(sigma, HIGHEST)
    lowest = min(highest / 10, LOWEST)
    exponents = torch.linspace(math.log(highest), math.log(lowest), STEPS, dtype=torch.float64)
    levels = torch.cat([exponents.exp(), exponents.new_zeros(1)])
    return sample_dpmpp_2m(denoise, x * (highest / sigma), levels)
