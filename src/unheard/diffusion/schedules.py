"""Noise levels from much noise to none: [steps + 1], falling, the last is 0, in float64 on the CPU."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from unheard.diffusion.parameterisation import sigma_of_share
from unheard.diffusion.settings import Sampling
from unheard.errors import InputError


def polyexponential_sigmas(n: int, sigma_min: float, sigma_max: float, rho: float = 1.0) -> Tensor:
    """Noise levels from `sigma_max` to `sigma_min`, then 0, whose logarithm is a polynomial of degree `rho`.

    With `rho` 1 they are spaced exponentially, the schedule published for Stable Audio Open.
    """
    ramp = torch.linspace(1, 0, n, dtype=torch.float64) ** rho
    sigmas = torch.exp(math.log(sigma_min) + ramp * (math.log(sigma_max) - math.log(sigma_min)))
    return torch.cat([sigmas, sigmas.new_zeros(1)])


def flow_sigmas(shares: Tensor) -> Tensor:
    """The noise levels of a flow's times: shares of noise from 1 or less, falling, [steps]; 0 is added."""
    sigmas = sigma_of_share(shares.double())
    return torch.cat([sigmas, sigmas.new_zeros(1)])


def flow_sigmas_between(
    sampling: Sampling, noise_level: float | None, shares: Callable[[int], Tensor]
) -> Tensor:
    """The schedule that a sampling asks for, of a flow, from a share of noise where one is given.

    Args:
        sampling: says how many steps, and whether in the model's own times.
        noise_level: the share of noise to begin with; the model's own times are shrunk to it.
        shares: a number of steps to the model's own times, as shares of noise falling from 1.

    Raises:
        InputError: the noise level is not above 0 and at most 1, or not between the polyexponential ones.
    """
    level = share_between(noise_level)
    if sampling.schedule == "model":
        return flow_sigmas(level * shares(sampling.num_inference_steps))
    if level == 1:
        return sigmas_between(sampling, None)
    low, high, sigma = sampling.sigma_min, sampling.sigma_max, level / (1 - level)
    if not low < sigma <= high:
        raise InputError(
            f"init_noise_level is {level:g}: in this schedule give a share of noise above "
            f"{low / (1 + low):.3g} (sigma_min is {low:g}), and at most {high / (1 + high):.3g} or 1"
        )
    return sigmas_between(sampling, sigma)


def sigmas_between(sampling: Sampling, noise_level: float | None) -> Tensor:
    """The polyexponential schedule that a sampling asks for, from a noise level sigma where one is given.

    Raises:
        InputError: the noise level is not above `sigma_min`, or is above `sigma_max`.
    """
    top = sampling.sigma_max if noise_level is None else noise_level
    if not sampling.sigma_min < top <= sampling.sigma_max:
        raise InputError(
            f"init_noise_level is {top:g}: give one above sigma_min ({sampling.sigma_min:g}), and at most "
            f"sigma_max ({sampling.sigma_max:g})"
        )
    return polyexponential_sigmas(sampling.num_inference_steps, sampling.sigma_min, top)


def share_between(noise_level: float | None) -> float:
    """The share of noise that a flow begins with: 1, or the noise level where one is given.

    Raises:
        InputError: it is not above 0 and at most 1.
    """
    if noise_level is None:
        return 1.0
    if not 0 < noise_level <= 1:
        raise InputError(
            f"init_noise_level is {noise_level:g}: this model is a flow, give a share of noise above 0 "
            "and at most 1"
        )
    return noise_level
