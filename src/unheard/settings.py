"""What a user can set: the guidance's weights and thresholds, the sampler's schedule. No torch in here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real

from unheard.errors import InputError

SAMPLERS = ("dpmpp_3m_sde", "dpmpp_2m_sde", "dpmpp_2m", "euler")
DISSIMILARITY_SPACES = ("denoised", "noise")


@dataclass(frozen=True)
class AMG:
    """Weights and thresholds of anti-memorization guidance (Messina et al. 2025, arXiv 2509.14934).

    Attributes:
        c1: weight of despecification, at least 0; 0 turns the term off.
        c2: weight of caption deduplication, at least 0; 0 turns the term off and saves the neighbour's
            prediction.
        c3: weight of dissimilarity, at least 0; 0 turns the term off and saves the gradient.
        lambda_min: similarity above which the guidance acts when all is noise (sigma to infinity); a cosine.
        lambda_max: the same when there is no noise left (sigma 0); not below `lambda_min`.
        dissimilarity_space: "denoised" as the published code weighs the gradient, "noise" as the paper writes
            it (see `unheard.amg.dissimilarity_weight`).

    Raises:
        InputError: a weight below 0, a value that is not a finite number, `lambda_min` above `lambda_max`, or
            an unknown space.
    """

    c1: float = 4.0
    c2: float = 3.0
    c3: float = 100.0
    lambda_min: float = 0.7
    lambda_max: float = 0.8
    dissimilarity_space: str = "denoised"

    def __post_init__(self) -> None:
        for name in ("c1", "c2", "c3"):
            _require_at_least_zero(name, getattr(self, name))
        _require_number("lambda_min", self.lambda_min)
        _require_number("lambda_max", self.lambda_max)
        if self.lambda_min > self.lambda_max:
            raise InputError(
                f"lambda_min ({self.lambda_min}) is above lambda_max ({self.lambda_max}): "
                "the threshold rises from lambda_min to lambda_max, so swap or equalise them"
            )
        _require_one_of("dissimilarity_space", self.dissimilarity_space, DISSIMILARITY_SPACES)


@dataclass(frozen=True)
class Sampling:
    """How the noise is taken away: sampler, number of steps, noise levels, guidance scale.

    The defaults are those published for Stable Audio Open 1.0.

    Attributes:
        sampler: one of `SAMPLERS`.
        num_inference_steps: calls of the denoiser, at least 1.
        sigma_min: the last noise level before 0; above 0.
        sigma_max: the noise level of the start; above `sigma_min`.
        guidance_scale: scale of classifier-free guidance, at least 0; 1 is the conditional prediction itself.

    Raises:
        InputError: a value outside these ranges.
    """

    sampler: str = "dpmpp_3m_sde"
    num_inference_steps: int = 100
    sigma_min: float = 0.3
    sigma_max: float = 500.0
    guidance_scale: float = 7.0

    def __post_init__(self) -> None:
        _require_one_of("sampler", self.sampler, SAMPLERS)
        steps: object = self.num_inference_steps
        if isinstance(steps, bool) or not isinstance(steps, Integral) or int(steps) < 1:
            raise InputError(f"num_inference_steps is {steps!r}: give a whole number of at least 1")
        _require_number("sigma_min", self.sigma_min)
        _require_number("sigma_max", self.sigma_max)
        if self.sigma_min <= 0:
            raise InputError(f"sigma_min is {self.sigma_min}: give a noise level above 0")
        if self.sigma_max <= self.sigma_min:
            raise InputError(
                f"sigma_max ({self.sigma_max}) is not above sigma_min ({self.sigma_min}): "
                "raise it or lower sigma_min"
            )
        _require_at_least_zero("guidance_scale", self.guidance_scale)


def _require_number(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise InputError(f"{name} is {value!r}: give a finite number")


def _require_at_least_zero(name: str, value: float) -> None:
    _require_number(name, value)
    if value < 0:
        raise InputError(f"{name} is {value}: give a number of at least 0")


def _require_one_of(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(f"unknown {name} {value!r}: choose one of {', '.join(choices)}")
