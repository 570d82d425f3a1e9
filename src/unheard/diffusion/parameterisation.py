"""What a network sees and says, and what that is in variance-exploding coordinates: a class each.

A network is trained on `z = a * x0 + b * noise` at some time of its own, and predicts some mixture of sound
and noise. Everything else here speaks of `x = x0 + sigma * noise = z / a` with `sigma = b / a`, and of the
estimate `D` of `x0`. Each class holds the four conversions between the two:

    native       x, sigma            ->  z, time
    canonical    z, time             ->  x, sigma
    denoised     x, sigma, prediction  ->  D
    prediction   x, sigma, D           ->  prediction

`x`, `z`, `D` and predictions are [batch, ...]; `sigma` and `time` are [batch].
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor

from unheard.diffusion.prediction import per_sample
from unheard.diffusion.settings import PURE_NOISE


class Parameterisation(Protocol):
    """What a network sees and says; see the module."""

    def native(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """What the network is given: `z`, in its own scale, and its time."""
        ...

    def canonical(self, z: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """The `x` and `sigma` of what the network is given."""
        ...

    def denoised(self, x: Tensor, sigma: Tensor, prediction: Tensor) -> Tensor:
        """The estimate of `x0` that a prediction of the network means."""
        ...

    def prediction(self, x: Tensor, sigma: Tensor, denoised: Tensor) -> Tensor:
        """What the network would have to predict for that estimate of `x0`."""
        ...


class VPrediction:
    """The velocity of a variance-preserving diffusion (Salimans and Ho 2022, arXiv 2202.00512), sigma_data 1.

    `z = x / sqrt(1 + sigma^2)` at time `2/pi * atan(sigma)`, in (0, 1), and
    `D = x / (1 + sigma^2) - v * sigma / sqrt(1 + sigma^2)`.
    """

    def native(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        return x * _preserving(x, sigma), torch.atan(sigma.to(x)) * (2 / math.pi)

    def canonical(self, z: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        sigma = torch.tan(time.to(z) * (math.pi / 2))
        return z / _preserving(z, sigma), sigma

    def denoised(self, x: Tensor, sigma: Tensor, prediction: Tensor) -> Tensor:
        level, scale = per_sample(sigma.to(x), x), _preserving(x, sigma)
        return x * scale**2 - prediction * level * scale

    def prediction(self, x: Tensor, sigma: Tensor, denoised: Tensor) -> Tensor:
        level, scale = per_sample(sigma.to(x), x), _preserving(x, sigma)
        return (x * scale**2 - denoised) / (level * scale)


class NoisePrediction:
    """The noise of a diffusion in discrete times (Ho et al. 2020, arXiv 2006.11239).

    `z = x / sqrt(1 + sigma^2)` and `D = x - sigma * epsilon`. Its times are whole numbers; a sigma between
    two of them has a time between, linear in `log(sigma)`, and one outside has the first or the last time.

    Args:
        alphas_cumprod: the share of the signal in the variance at each time, falling, [times].
    """

    def __init__(self, alphas_cumprod: Tensor) -> None:
        alphas = alphas_cumprod.double().cpu()
        self._log_sigmas = ((1 - alphas) / alphas).log() / 2

    @property
    def sigma_max(self) -> float:
        """The noise level of the last time."""
        return math.exp(self._log_sigmas[-1])

    def native(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        return x * _preserving(x, sigma), self.time(sigma).to(x)

    def canonical(self, z: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        sigma = self.sigma(time).to(z)
        return z / _preserving(z, sigma), sigma

    def denoised(self, x: Tensor, sigma: Tensor, prediction: Tensor) -> Tensor:
        return x - per_sample(sigma.to(x), x) * prediction

    def prediction(self, x: Tensor, sigma: Tensor, denoised: Tensor) -> Tensor:
        return (x - denoised) / per_sample(sigma.to(x), x)

    def time(self, sigma: Tensor) -> Tensor:
        """The times of noise levels [batch], in float64."""
        log_sigmas = self._log_sigmas.to(sigma.device)
        wanted = sigma.double().log().clamp(log_sigmas[0], log_sigmas[-1])
        above = torch.searchsorted(log_sigmas, wanted).clamp(1, len(log_sigmas) - 1)
        low, high = log_sigmas[above - 1], log_sigmas[above]
        return above - 1 + (wanted - low) / (high - low)

    def sigma(self, time: Tensor) -> Tensor:
        """The noise levels of times [batch], in float64."""
        log_sigmas = self._log_sigmas.to(time.device)
        below = time.double().clamp(0, len(log_sigmas) - 1)
        first = below.floor().long().clamp(max=len(log_sigmas) - 2)
        return torch.lerp(log_sigmas[first], log_sigmas[first + 1], below - first).exp()


class Velocity:
    """The velocity of a rectified flow (Liu et al. 2022, arXiv 2209.03003) from sound to noise.

    `z = (1 - t) x0 + t * noise` with the share of noise `t = sigma / (1 + sigma)` as its time, and
    `D = z - t * v`. At `t = 1` sigma is infinite, and `PURE_NOISE` stands for it.
    """

    def native(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        level = _precise(sigma)
        return x / per_sample((1 + level).to(x), x), (level / (1 + level)).to(x)

    def canonical(self, z: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        sigma = sigma_of_share(time.to(z))
        return z * per_sample(1 + sigma, z), sigma

    def denoised(self, x: Tensor, sigma: Tensor, prediction: Tensor) -> Tensor:
        z, share = Velocity.native(self, x, sigma)
        return z - per_sample(share, x) * prediction

    def prediction(self, x: Tensor, sigma: Tensor, denoised: Tensor) -> Tensor:
        z, share = Velocity.native(self, x, sigma)
        return (z - denoised) / per_sample(share, x)


class ReversedVelocity(Velocity):
    """The velocity of a rectified flow from noise to sound: its time is the share of sound, `1 - t`.

    `D = z + t * v`.
    """

    def native(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        level = _precise(sigma)
        return x / per_sample((1 + level).to(x), x), (1 / (1 + level)).to(x)

    def canonical(self, z: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        return super().canonical(z, 1 - time)

    def denoised(self, x: Tensor, sigma: Tensor, prediction: Tensor) -> Tensor:
        return super().denoised(x, sigma, -prediction)

    def prediction(self, x: Tensor, sigma: Tensor, denoised: Tensor) -> Tensor:
        return -super().prediction(x, sigma, denoised)


def sigma_of_share(share: Tensor) -> Tensor:
    """`t / (1 - t)` of shares of noise, 0 to 1; `PURE_NOISE` for 1."""
    return (share / (1 - share).clamp(min=1 / PURE_NOISE)).clamp(max=PURE_NOISE)


def _precise(sigma: Tensor) -> Tensor:
    """Noise levels in double precision, where the device has it.

    A network may read its time through features of up to 10,000 periods, as Stable Audio 3's does, and so in
    its last bit: of a time that comes back from sigma that bit is right only if it is rounded once.
    """
    return sigma if sigma.device.type == "mps" else sigma.double()


def _preserving(x: Tensor, sigma: Tensor) -> Tensor:
    """What takes `x` to a variance-preserving `z`, `1 / sqrt(1 + sigma^2)`."""
    return (1 + per_sample(sigma.to(x), x) ** 2).rsqrt()
