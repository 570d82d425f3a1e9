"""Plain classifier-free guidance (Ho and Salimans 2022, arXiv 2207.12598): nothing is steered away from."""

from __future__ import annotations

import torch
from torch import Tensor

from unheard.backbones.base import Conditioning
from unheard.diffusion.levels import level_of
from unheard.diffusion.prediction import Denoise, classifier_free, predict_both
from unheard.diffusion.prompt_guidance import CLASSIFIER_FREE, PromptGuidance
from unheard.guidance.base import Step


class ClassifierFreeGuidance:
    """Plain classifier-free guidance, both predictions in one batched call.

    At scale 1, where distilled weights are, the prediction without a prompt counts for nothing and is not
    asked for: half of the work.

    Args:
        denoise: `denoise(x, sigma, conditioning) -> denoised`.
        conditional, unconditional: conditionings of the prompts and of no prompt, one entry a sample.
        guidance_scale: `s0`; 1 gives the conditional prediction.
        prompt_guidance: what stands for the prediction without a prompt.

    Attributes:
        trace: a `Step` for each call so far, with the noise level alone.
    """

    def __init__(
        self,
        denoise: Denoise,
        conditional: Conditioning,
        unconditional: Conditioning,
        *,
        guidance_scale: float,
        prompt_guidance: PromptGuidance = CLASSIFIER_FREE,
    ) -> None:
        self.denoise = denoise
        self.conditional = conditional
        self.both = type(conditional).cat([unconditional, conditional])
        self.guidance_scale = guidance_scale
        self.prompt_guidance = prompt_guidance
        self.trace: list[Step] = []

    @torch.no_grad()
    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoise x [batch, *latent_shape] at the noise levels sigma [batch]."""
        self.trace.append(Step(sigma=level_of(sigma)))
        if self.guidance_scale == 1 and not self.prompt_guidance.remembers:
            return self.denoise(x, sigma, self.conditional)
        unconditional, conditional = predict_both(self.denoise, x, sigma, self.both)
        unconditional = self.prompt_guidance.unconditional(x, sigma, unconditional, conditional)
        return classifier_free(unconditional, conditional, self.guidance_scale)
