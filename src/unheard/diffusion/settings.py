"""How the noise is taken away."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from unheard.common.checks import require_at_least_zero, require_number, require_one_of, require_whole
from unheard.errors import InputError

SamplerName = Literal["dpmpp_3m_sde", "dpmpp_2m_sde", "dpmpp_2m", "euler", "pingpong"]
SAMPLERS: tuple[SamplerName, ...] = get_args(SamplerName)
MOST_STEPS = 10_000
PURE_NOISE = 1e8
"""The noise level that stands for a flow's t = 1, where sigma is infinite: t is exactly 1 in float32."""

NoiseName = Literal["levy", "torchsde"]
NOISES: tuple[NoiseName, ...] = get_args(NoiseName)
STOCHASTIC: tuple[SamplerName, ...] = ("dpmpp_3m_sde", "dpmpp_2m_sde", "pingpong")
"""The samplers that add noise on the way."""

ScheduleName = Literal["polyexponential", "model"]
SCHEDULES: tuple[ScheduleName, ...] = get_args(ScheduleName)


def sampler_named(name: str) -> str:
    """A sampler by its name here, of one in the spelling of stable-audio-tools or the published code.

    "dpmpp-3m-sde" and "my-dpmpp-3m-sde" are "dpmpp_3m_sde"; any other name comes back as it is.
    """
    spelt = name.removeprefix("my-").replace("-", "_")
    return spelt if spelt in SAMPLERS else name


@dataclass(frozen=True)
class Sampling:
    """How the noise is taken away: sampler, number of steps, noise levels, guidance scale.

    The defaults are those published for Stable Audio Open 1.0.

    Attributes:
        sampler: solver of the denoising equation, a stochastic one (`sde`, `pingpong`) or another; `pingpong`
            is for distilled models.
        num_inference_steps: denoising steps, 1 to 10,000.
        sigma_min: last noise level of the polyexponential schedule before 0; above 0.
        sigma_max: its first noise level; above `sigma_min`, to 1e8.
        guidance_scale: how closely to follow the prompt: scale of classifier-free guidance, at least 0; 1 is
            the conditional prediction itself.
        schedule: how the noise levels are spaced: `polyexponential`, evenly in their logarithm, or `model`,
            as the model's own pipeline does.
        noise: Brownian motion of a stochastic sampler, `levy`, or `torchsde` for that of older sounds.

    Raises:
        InputError: a value outside these ranges.
    """

    sampler: SamplerName = "dpmpp_3m_sde"
    num_inference_steps: int = 100
    sigma_min: float = 0.3
    sigma_max: float = 500.0
    guidance_scale: float = 7.0
    schedule: ScheduleName = "polyexponential"
    noise: NoiseName = "levy"

    def __post_init__(self) -> None:
        if isinstance(self.sampler, str):  # files may have it in another spelling
            object.__setattr__(self, "sampler", sampler_named(self.sampler))
        require_one_of("sampler", self.sampler, SAMPLERS)
        require_whole("num_inference_steps", self.num_inference_steps, 1, MOST_STEPS)
        require_number("sigma_min", self.sigma_min)
        require_number("sigma_max", self.sigma_max)
        if self.sigma_min <= 0:
            raise InputError(f"sigma_min is {self.sigma_min}: give a noise level above 0")
        if self.sigma_max <= self.sigma_min:
            raise InputError(
                f"sigma_max ({self.sigma_max}) is not above sigma_min ({self.sigma_min}): "
                "raise it or lower sigma_min"
            )
        if self.sigma_max > PURE_NOISE:
            raise InputError(f"sigma_max is {self.sigma_max}: give a noise level of at most {PURE_NOISE:g}")
        require_at_least_zero("guidance_scale", self.guidance_scale)
        require_one_of("schedule", self.schedule, SCHEDULES)
        require_one_of("noise", self.noise, NOISES)

    def described(self) -> dict[str, Any]:
        """Its fields, for files, but for what changes nothing.

        The schedule is left out where it is the one of files that do not name one, and the noise where the
        sampler adds none.
        """
        table = asdict(self)
        if self.sampler not in STOCHASTIC:
            del table["noise"]
        if self.schedule == "polyexponential":
            del table["schedule"]
        return table
