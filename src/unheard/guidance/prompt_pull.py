"""How likely a prompt is to bring back a recording, told from the model alone, without its training set.

Wen et al. (ICLR 2024, "Detecting, Explaining, and Mitigating Memorization in Diffusion Models") observe that
a memorised prompt pulls much harder than others: the difference between what the model predicts with the
prompt and without one is large, from the first steps on. Their measure is the norm of that difference in
predicted noise, averaged over steps and over starts. In the coordinates here, where the noise is
`(x - denoised) / sigma`, that is `|denoised(prompt) - denoised(nothing)| / sigma`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from unheard.backbones import Backbone
from unheard.diffusion.noise import initial_noise, noise_of
from unheard.diffusion.prediction import classifier_free, noise_pull, predict_both
from unheard.diffusion.samplers import SAMPLERS
from unheard.diffusion.settings import Sampling
from unheard.errors import InputError

FIRST_STEPS = 10


@dataclass(frozen=True)
class PromptPull:
    """How hard a prompt pulls.

    Attributes:
        prompt: the text.
        pull: mean over the first steps and the seeds; comparable between prompts of one model with the same
            sampling and duration, and with nothing else.
        steps: mean over the seeds for each of the first steps.
    """

    prompt: str
    pull: float
    steps: tuple[float, ...]


@torch.no_grad()
def prompt_pull(
    backbone: Backbone,
    prompts: Sequence[str],
    *,
    sampling: Sampling,
    duration: float,
    start: float = 0.0,
    seeds: Sequence[int] = (0,),
    steps: int = FIRST_STEPS,
) -> list[PromptPull]:
    """The norm of the difference between conditional and unconditional noise prediction, for each prompt.

    The trajectories are those of classifier-free guidance; only their first steps are made.

    Args:
        backbone: the model.
        prompts: texts.
        sampling: the schedule, the sampler and the guidance scale.
        duration, start: seconds that the model is told.
        seeds: of the starts; the measure is averaged over them.
        steps: how many of the first steps; all there are, if there are fewer.

    Raises:
        InputError: no seed, or fewer than one step.
    """
    if not seeds or steps < 1:
        raise InputError(f"a prompt's pull needs a seed and a step at least, not {len(seeds)} and {steps}")
    sigmas = backbone.sigmas(sampling)[: steps + 1]
    timing = [start] * len(seeds), [start + duration] * len(seeds)
    nothing = [None] * len(seeds)
    found = []
    for prompt in prompts:
        conditional, unconditional = backbone.encode_both([prompt] * len(seeds), nothing, *timing)
        both = type(conditional).cat([unconditional, conditional])
        norms: list[Tensor] = []

        def model(x: Tensor, sigma: Tensor, both: object = both, norms: list[Tensor] = norms) -> Tensor:
            without, with_prompt = predict_both(backbone.denoise, x, sigma, both)
            norms.append(noise_pull(with_prompt, without, sigma).mean())
            return classifier_free(without, with_prompt, sampling.guidance_scale)

        shape, device = backbone.noise_shape(duration), backbone.device
        SAMPLERS[sampling.sampler](
            model,
            float(sigmas[0]) * initial_noise(shape, seeds, device),
            sigmas,
            noise_of(sampling, sigmas, shape, seeds, device),
        )
        means = torch.stack(norms).tolist()
        found.append(PromptPull(prompt, sum(means) / len(means), tuple(means)))
    return found
