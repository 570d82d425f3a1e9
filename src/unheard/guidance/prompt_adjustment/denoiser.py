"""The prompt's embedding is moved, before the first step, until it pulls no more than a prompt should.

Wen et al., ICLR 2024 (arXiv 2407.21720): for a memorised prompt the conditional prediction is far from the
unconditional one in full noise already. So the embedding is optimised on the norm of their difference, at the
first step, until that is below a target; the whole trajectory then follows the embedding found.
"""

from __future__ import annotations

import torch
from torch import Tensor

from unheard.backbones import Conditioning
from unheard.diffusion.levels import level_of
from unheard.diffusion.prediction import Denoise, classifier_free, predict_both, pull
from unheard.diffusion.prompt_guidance import CLASSIFIER_FREE, PromptGuidance
from unheard.guidance.base import Step
from unheard.guidance.prompt_adjustment.settings import PULL, PromptAdjustment


class PromptAdjustmentDenoiser:
    """Classifier-free guidance with an adjusted prompt.

    What is moved are the states of the text encoder that the denoiser attends to, by AdamW as published.
    Each sample is optimised by itself and stops by itself. One instance belongs to one trajectory.

    Args:
        denoise: `denoise(x, sigma, conditioning) -> denoised`, differentiable in the conditioning.
        conditional, unconditional: conditionings of the prompts and of no prompt, one entry a sample.
        guidance_scale: of classifier-free guidance.
        prompt_guidance: what stands for the prediction without a prompt.
        settings: target, rate and number of updates.

    Attributes:
        trace: a `Step` for each call; `value` is the pull (`unheard.diffusion.prediction.pull`), at the first
            step before any update, `acted` whether the prompt was moved.
    """

    def __init__(
        self,
        denoise: Denoise,
        conditional: Conditioning,
        unconditional: Conditioning,
        *,
        guidance_scale: float,
        settings: PromptAdjustment,
        prompt_guidance: PromptGuidance = CLASSIFIER_FREE,
    ) -> None:
        self.denoise = denoise
        self.guidance_scale = guidance_scale
        self.prompt_guidance = prompt_guidance
        self.settings = settings
        self.trace: list[Step] = []
        self._conditional, self._unconditional = conditional, unconditional
        self._moved: list[bool] | None = None

    @torch.no_grad()
    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoise x [batch, *latent_shape] at the noise levels sigma [batch]."""
        first = None if self._moved is not None else self._adjust(x, sigma)
        both = type(self._conditional).cat([self._unconditional, self._conditional])
        unconditional, conditional = predict_both(self.denoise, x, sigma, both)
        self.trace.append(
            Step(
                sigma=level_of(sigma),
                value=pull(conditional, unconditional).tolist() if first is None else first,
                measure=[PULL] * len(x),
                threshold=[self.settings.target] * len(x),
                acted=self._moved,
            )
        )
        unconditional = self.prompt_guidance.unconditional(x, sigma, unconditional, conditional)
        return classifier_free(unconditional, conditional, self.guidance_scale)

    def _adjust(self, x: Tensor, sigma: Tensor) -> list[float]:
        """Move the embeddings of samples whose pull is above the target; gives back the first ones."""
        unconditional = self.denoise(x, sigma, self._unconditional)
        states = [each[None].clone().requires_grad_() for each in self._conditional.text_states]
        optimiser = torch.optim.AdamW(states, lr=self.settings.rate)
        self._moved = [False] * len(x)
        first: list[float] = []
        left = list(range(len(x)))
        for _ in range(self.settings.updates):
            optimiser.zero_grad()
            with torch.enable_grad():
                moved = torch.cat([states[sample] for sample in left])
                told = self._conditional.select(left).with_text_states(moved)
                values = pull(self.denoise(x[left], sigma[left], told), unconditional[left])
                total = values[above := values > self.settings.target].sum()
            first = first or values.tolist()
            left = [sample for sample, flag in zip(left, above.tolist(), strict=True) if flag]
            if not left:
                break
            # An optimiser passes over what has no gradient: the samples that are through stay as they are.
            gradients = torch.autograd.grad(total, [states[sample] for sample in left])
            for sample, gradient in zip(left, gradients, strict=True):
                states[sample].grad = gradient
                self._moved[sample] = True
            optimiser.step()
        self._conditional = self._conditional.with_text_states(torch.cat([each.detach() for each in states]))
        return first
