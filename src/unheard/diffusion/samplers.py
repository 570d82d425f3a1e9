"""Samplers over `model(x, sigma) -> denoised`.

All in variance-exploding coordinates, `x = x0 + sigma * eps` (Karras et al. 2022, arXiv 2206.00364). `x` is
[batch, ...] in float32 or float64; the model receives `sigma` as [batch] in the same type. A guidance wraps
the model, so that no sampler knows of it.

Every sampler has the same signature:

    model(x, sigma) -> denoised       the denoiser, guided or not
    x                                 the start: noise of deviation sigmas[0]
    sigmas                            falling noise levels, the last is 0: one call of the model for each but
        the last noise(sigma, sigma_next) -> eps   unit-variance noise for the interval; the deterministic
        samplers never call it callback(step, sigma, denoised)   called after each call of the model, optional

and returns the last denoised estimate. The coefficients of a step are computed as Python floats, in double
precision whatever the type of `x`, and without waiting for the device.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from unheard.diffusion.levels import same_level
from unheard.diffusion.noise import Noise

Model = Callable[[Tensor, Tensor], Tensor]
Callback = Callable[[int, float, Tensor], None]


@torch.no_grad()
def sample_euler(
    model: Model, x: Tensor, sigmas: Tensor, noise: Noise | None = None, callback: Callback | None = None
) -> Tensor:
    """Euler steps on the probability-flow ODE `dx/dsigma = (x - D) / sigma`.

    Karras et al. 2022 (arXiv 2206.00364), algorithm 1 without its second-order correction.
    """
    for step, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        denoised = _denoise(model, x, sigma, step, callback)
        x = denoised + sigma_next / sigma * (x - denoised)
    return x


@torch.no_grad()
def sample_dpmpp_2m(
    model: Model, x: Tensor, sigmas: Tensor, noise: Noise | None = None, callback: Callback | None = None
) -> Tensor:
    """DPM-Solver++(2M), Lu et al. 2022 (arXiv 2211.01095), algorithm 2.

    An exponential integrator with one step of memory: `h` is a step in `-log(sigma)`; the last denoised
    estimate but one extrapolates to the middle of the step. The step to 0 is of first order.
    """
    previous: Tensor | None = None
    h_previous = 0.0
    for step, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        denoised = _denoise(model, x, sigma, step, callback)
        if sigma_next == 0:
            return denoised
        h = math.log(sigma / sigma_next)
        target = denoised if previous is None else denoised + h / (2 * h_previous) * (denoised - previous)
        x = math.exp(-h) * x - math.expm1(-h) * target
        previous, h_previous = denoised, h
    return x


@torch.no_grad()
def sample_dpmpp_2m_sde(
    model: Model, x: Tensor, sigmas: Tensor, noise: Noise, callback: Callback | None = None
) -> Tensor:
    """SDE-DPM-Solver++(2M), midpoint form, Lu et al. 2022 (arXiv 2211.01095).

    The reverse SDE doubles the exponent of the ODE, and fresh noise of variance `sigma_next^2 (1 - exp(-2h))`
    makes up for it.
    """
    previous: Tensor | None = None
    h_previous = 0.0
    for step, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        denoised = _denoise(model, x, sigma, step, callback)
        if sigma_next == 0:
            return denoised
        h = math.log(sigma / sigma_next)
        target = denoised if previous is None else denoised + h / (2 * h_previous) * (denoised - previous)
        x = math.exp(-2 * h) * x - math.expm1(-2 * h) * target
        x = x + sigma_next * math.sqrt(-math.expm1(-2 * h)) * noise(sigma, sigma_next)
        previous, h_previous = denoised, h
    return x


@torch.no_grad()
def sample_dpmpp_3m_sde(
    model: Model, x: Tensor, sigmas: Tensor, noise: Noise, callback: Callback | None = None
) -> Tensor:
    """SDE-DPM-Solver++ with two steps of memory, the sampler published for Stable Audio Open.

    The multistep expansion of Lu et al. 2022 (arXiv 2211.01095) carried one order further, as in k-diffusion:
    the denoised estimate is taken as a parabola through the last three, written in units of the step `h` in
    `-log(sigma)`, and integrated exactly. The first step has no memory, the second one step of it.
    """
    memory: list[Tensor] = []  # denoised estimates, newest first
    lengths: list[float] = []  # steps between them, newest first
    for step, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        denoised = _denoise(model, x, sigma, step, callback)
        if sigma_next == 0:
            return denoised
        h = math.log(sigma / sigma_next)
        phi_1 = -math.expm1(-2 * h)
        phi_2 = 1 - phi_1 / (2 * h)
        phi_3 = phi_2 / (2 * h) - 0.5
        x = math.exp(-2 * h) * x + phi_1 * denoised
        if len(memory) == 1:
            x = x + phi_2 * h / lengths[0] * (denoised - memory[0])
        elif len(memory) == 2:
            slope_new = h / lengths[0] * (denoised - memory[0])
            slope_old = h / lengths[1] * (memory[0] - memory[1])
            curvature = h / (lengths[0] + lengths[1]) * (slope_new - slope_old)
            slope = slope_new + lengths[0] / h * curvature
            x = x + phi_2 * slope - phi_3 * curvature
        x = x + sigma_next * math.sqrt(phi_1) * noise(sigma, sigma_next)
        memory = [denoised, *memory[:1]]
        lengths = [h, *lengths[:1]]
    return x


@torch.no_grad()
def sample_pingpong(
    model: Model, x: Tensor, sigmas: Tensor, noise: Noise, callback: Callback | None = None
) -> Tensor:
    """Denoise wholly, then add fresh noise of the next level: how distilled models are sampled.

    Multistep consistency sampling, Song et al. 2023 (arXiv 2303.01469), algorithm 1; "ping-pong" in Stable
    Audio.
    """
    for step, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        denoised = _denoise(model, x, sigma, step, callback)
        if sigma_next == 0:
            break
        x = denoised + sigma_next * noise(sigma, sigma_next)
    return denoised


SAMPLERS: dict[str, Callable[..., Tensor]] = {
    "dpmpp_3m_sde": sample_dpmpp_3m_sde,
    "dpmpp_2m_sde": sample_dpmpp_2m_sde,
    "dpmpp_2m": sample_dpmpp_2m,
    "euler": sample_euler,
    "pingpong": sample_pingpong,
}


def _denoise(model: Model, x: Tensor, sigma: float, step: int, callback: Callback | None) -> Tensor:
    denoised = model(x, same_level(sigma, x))
    if callback is not None:
        callback(step, sigma, denoised)
    return denoised
