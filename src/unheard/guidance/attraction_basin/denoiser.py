"""No guidance, or opposite guidance, until the trajectory has left the basin of a memorised sound.

Jain et al., CVPR 2025 (arXiv 2411.16738): the transition is the first local minimum of the norm of the
difference between conditional and unconditional noise prediction, `|D_c - D_u| / sigma`, or a noise level.
"""

from __future__ import annotations

import torch
from torch import Tensor

from unheard.backbones.base import Conditioning
from unheard.diffusion.levels import level_of
from unheard.diffusion.prediction import Denoise, classifier_free, noise_pull, per_sample, predict_both
from unheard.diffusion.prompt_guidance import CLASSIFIER_FREE, PromptGuidance
from unheard.guidance.attraction_basin.settings import AttractionBasin
from unheard.guidance.base import Step


class AttractionBasinDenoiser:
    """Guidance at `early_scale` until each sample's transition, at `guidance_scale` from then on.

    Attributes:
        trace: a `Step` for each call; `acted` where the transition has not come yet.
    """

    def __init__(
        self,
        denoise: Denoise,
        conditional: Conditioning,
        unconditional: Conditioning,
        *,
        guidance_scale: float,
        settings: AttractionBasin,
        prompt_guidance: PromptGuidance = CLASSIFIER_FREE,
    ) -> None:
        self.denoise = denoise
        self.conditioning = type(conditional).cat([unconditional, conditional])
        self.guidance_scale = guidance_scale
        self.prompt_guidance = prompt_guidance
        self.settings = settings
        self.trace: list[Step] = []
        self._norms: list[Tensor] = []
        self._passed: Tensor | None = None

    @torch.no_grad()
    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoise x [batch, *latent_shape] at the noise levels sigma [batch]."""
        unconditional, conditional = predict_both(self.denoise, x, sigma, self.conditioning)
        self._norms.append(noise_pull(conditional, unconditional, sigma))
        passed = sigma <= self.settings.latest
        if self.settings.dynamic and len(self._norms) > 2:
            before, middle, now = self._norms[-3:]
            passed |= (middle < before) & (middle <= now)
        self._passed = passed if self._passed is None else self._passed | passed
        scale = torch.where(self._passed, self.guidance_scale, self.settings.early_scale).to(x)
        self.trace.append(Step(sigma=level_of(sigma), acted=[not flag for flag in self._passed.tolist()]))
        unconditional = self.prompt_guidance.unconditional(x, sigma, unconditional, conditional)
        return classifier_free(unconditional, conditional, per_sample(scale, x))
