"""The discrete times of a noise prediction, and those of them that a pipeline samples at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from unheard.common.imports import importing
from unheard.common.model_libraries import defer_unused_parts
from unheard.diffusion.parameterisation import NoisePrediction
from unheard.diffusion.schedules import sigmas_between
from unheard.diffusion.settings import Sampling
from unheard.errors import InputError, ModelError

with importing():
    defer_unused_parts()

    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

EXPECTED = {
    "prediction_type": "epsilon",
    "rescale_betas_zero_snr": False,
    "clip_sample": False,
    "thresholding": False,
}
"""Settings of a scheduler that mean something else to the network, or to its result, with other values."""


class DiscreteTimes:
    """What a scheduler's configuration says of times and noise.

    Args:
        config: of a scheduler of diffusers with discrete times, of any class. Times are picked from it as
            `DDIMScheduler` does, by its spacing and offset.
        name: what the model is called in messages.

    Attributes:
        parameterisation: the network's.

    Raises:
        ModelError: it is not of a noise prediction in discrete times.
    """

    def __init__(self, config: Mapping[str, Any], name: str) -> None:
        for setting, expected in EXPECTED.items():
            if config.get(setting, expected) != expected:
                raise ModelError(
                    f"the scheduler of {name} has {setting} {config[setting]!r}: unheard runs models that "
                    f"predict noise with {expected!r} only"
                )
        if not config.get("trained_betas") and not {"beta_start", "beta_end"} <= config.keys():
            raise ModelError(
                f"the scheduler of {name} has no betas: unheard runs models that predict noise with a "
                "scheduler of discrete times, such as DDIMScheduler"
            )
        self.name = name
        # In memory, a private list names the values that were not chosen: they hold all the same.
        settings = {setting: value for setting, value in config.items() if not setting.startswith("_")}
        self._scheduler = DDIMScheduler.from_config(settings)
        self.parameterisation = NoisePrediction(self._scheduler.alphas_cumprod)

    def default_sampling(self, num_inference_steps: int, guidance_scale: float) -> Sampling:
        """Euler steps, which are those of DDIM, through the model's own times."""
        return Sampling(
            sampler="euler",
            num_inference_steps=num_inference_steps,
            sigma_min=float(self.parameterisation.sigma(torch.zeros(1))),
            sigma_max=self.parameterisation.sigma_max,
            guidance_scale=guidance_scale,
            schedule="model",
        )

    def sigmas(self, sampling: Sampling, noise_level: float | None) -> Tensor:
        """The noise levels of a sampling, [steps + 1].

        In the model's own schedule, those of the times that its pipeline's scheduler picks. A step of DDIM
        (Song et al. 2020, arXiv 2010.02502, equation 12, without its noise) from one to the next is an Euler
        step here: `sqrt(alpha') D + sqrt(1 - alpha') epsilon`, divided by `sqrt(alpha')`, is
        `D + sigma' / sigma (x - D)`. The last step goes to no noise at all, where the published
        configuration stops at that of the first time, 0.039. With a noise level the times keep their
        proportions, and begin at its own.

        Raises:
            InputError: a noise level beyond the model's, or more steps than it has times.
        """
        highest = self.parameterisation.sigma_max
        for what, level in (
            ("init_noise_level", noise_level),
            ("sigma_max", sampling.sigma_max if sampling.schedule == "polyexponential" else None),
        ):
            if level is not None and not 0 < level <= highest * (1 + 1e-6):
                raise InputError(
                    f"{what} is {level:g}: the noise of {self.name} is above 0 and at most {highest:.2f}"
                )
        if sampling.schedule == "polyexponential":
            return sigmas_between(sampling, noise_level)
        known = int(self._scheduler.config.num_train_timesteps)
        if sampling.num_inference_steps > known:
            raise InputError(
                f"num_inference_steps is {sampling.num_inference_steps}: {self.name} has {known} times, "
                "give no more"
            )
        self._scheduler.set_timesteps(sampling.num_inference_steps)
        times = self._scheduler.timesteps.double()
        if noise_level is not None:
            proportions = (times / times[0]).nan_to_num(1.0)  # a single time may be 0
            times = proportions * self.parameterisation.time(torch.tensor([noise_level]))
        return torch.cat([self.parameterisation.sigma(times), times.new_zeros(1)])
