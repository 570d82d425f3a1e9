"""What a diffusion model learns to predict: what it is shown at a time, and what it should say.

Each takes latents `[batch, channels, frames]`, the times as shares `[batch]` of all there are (0: the sound,
1: the noisiest), and noise like the latents.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from diffusers import DDIMScheduler

DISCRETE = {
    "num_train_timesteps": 1_000,
    "beta_start": 0.0015,
    "beta_end": 0.0195,
    "beta_schedule": "scaled_linear",
    "prediction_type": "epsilon",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
"""The discrete times of a noise prediction, as AudioLDM 2 has them; the arguments of a scheduler."""


class Task(NamedTuple):
    """What a network is shown, at which of its own times `[batch]`, and what it should say."""

    z: torch.Tensor
    times: torch.Tensor
    target: torch.Tensor


Objective = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], Task]


def v_prediction(latents: torch.Tensor, shares: torch.Tensor, noise: torch.Tensor) -> Task:
    """The velocity at angle `pi/2 * share` (Salimans and Ho 2022, arXiv 2202.00512)."""
    angle = (shares * math.pi / 2)[:, None, None]
    z, target = angle.cos() * latents + angle.sin() * noise, angle.cos() * noise - angle.sin() * latents
    return Task(z, shares, target)


def rectified_flow(latents: torch.Tensor, shares: torch.Tensor, noise: torch.Tensor) -> Task:
    """The straight way from sound to noise (Liu et al. 2022, arXiv 2209.03003)."""
    share = shares[:, None, None]
    return Task((1 - share) * latents + share * noise, shares, noise - latents)


def noise_prediction(latents: torch.Tensor, shares: torch.Tensor, noise: torch.Tensor) -> Task:
    """The noise itself, at the times of `DISCRETE` (Ho et al. 2020, arXiv 2006.11239)."""
    alphas = DDIMScheduler(**DISCRETE).alphas_cumprod.to(latents.device)
    times = (shares * len(alphas)).long().clamp(max=len(alphas) - 1)
    kept = alphas[times][:, None, None]
    return Task(kept.sqrt() * latents + (1 - kept).sqrt() * noise, times.to(shares), noise)
