"""Classifier-free guidance under something else than the prompt, decided once, in the first step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from unheard.diffusion.levels import level_of
from unheard.guidance.base import Denoiser, Step
from unheard.guidance.classifier_free import ClassifierFreeGuidance
from unheard.guidance.trajectory import Trajectory


@dataclass(frozen=True)
class Rewrite:
    """What a sample goes on under in the place of its prompt.

    Attributes:
        conditioning: of one sample.
        item: position in the index of the item whose caption it is, None where it is no item's.
        caption: the text, where it is no item's; None for the prompt's own, or for none.
        prompt_weight: what is left of the prompt's wording, 0 to 1; None where it was not reworded.
    """

    conditioning: Any
    item: int | None = None
    caption: str | None = None
    prompt_weight: float | None = 0.0


class RewrittenPromptDenoiser(ABC):
    """Plain guidance, but for what `rewrites` says of each sample before the first step.

    One instance belongs to one trajectory.

    Attributes:
        trace: a `Step` for each call; `acted` whether the sample is under something else than its prompt.
    """

    def __init__(self, trajectory: Trajectory) -> None:
        self.trajectory = trajectory
        self.trace: list[Step] = []
        self._guided: Denoiser | None = None
        self._rewrites: Sequence[Rewrite | None] = ()

    @abstractmethod
    def rewrites(self, x: Tensor, sigma: Tensor) -> Sequence[Rewrite | None]:
        """What each sample goes on under, from the noise that it begins in; None for its prompt."""

    @torch.no_grad()
    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoise x [batch, *latent_shape] at the noise levels sigma [batch]."""
        if self._guided is None:
            self._rewrites = self.rewrites(x, sigma)
            self._guided = self._plain(self._rewrites)
        self.trace.append(
            Step(
                sigma=level_of(sigma),
                acted=[each is not None for each in self._rewrites],
                fallback=[None if each is None else each.item for each in self._rewrites],
                prompt_weight=[None if each is None else each.prompt_weight for each in self._rewrites],
                caption=[None if each is None else each.caption for each in self._rewrites],
            )
        )
        return self._guided(x, sigma)

    def unprompted(self, sample: int) -> Rewrite:
        """No caption at all, for a sample."""
        return Rewrite(self.trajectory.unconditional.select([sample]))

    def _plain(self, rewrites: Sequence[Rewrite | None]) -> ClassifierFreeGuidance:
        prompts, unconditional = self.trajectory.conditional, self.trajectory.unconditional
        told = [
            prompts.select([sample]) if each is None else each.conditioning
            for sample, each in enumerate(rewrites)
        ]
        return ClassifierFreeGuidance(
            self.trajectory.backbone.denoise,
            type(unconditional).cat(told),
            unconditional,
            guidance_scale=self.trajectory.guidance_scale,
            prompt_guidance=self.trajectory.backbone.prompt_guidance(),
        )
