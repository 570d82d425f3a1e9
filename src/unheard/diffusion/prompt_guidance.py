"""How a prompt's prediction is strengthened: classifier-free guidance, or one that projects it first.

Both are `D_u + s (D_c - D_u)` with the guidance scale `s`; they differ in what stands for the prediction
without a prompt, `D_u`. So whatever is written in terms of `D_u` and `D_c` holds with either.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from unheard.diffusion.prediction import per_sample


class PromptGuidance(Protocol):
    """What stands for the prediction without a prompt, in one trajectory."""

    remembers: bool
    """Whether it depends on the steps before, so that it is needed even where its weight is 0."""

    def unconditional(self, x: Tensor, sigma: Tensor, unconditional: Tensor, conditional: Tensor) -> Tensor:
        """Called once a step, with both predictions [batch, ...] of all samples, at x and sigma [batch]."""
        ...


class ClassifierFree:
    """The prediction without a prompt itself (Ho and Salimans 2022, arXiv 2207.12598)."""

    remembers = False

    def unconditional(self, x: Tensor, sigma: Tensor, unconditional: Tensor, conditional: Tensor) -> Tensor:
        return unconditional


CLASSIFIER_FREE = ClassifierFree()
"""It keeps nothing from step to step, so one serves all."""


class OrthogonalProjection:
    """Adaptive projected guidance in its plainest form (arXiv 2410.02416), as in Stable Audio 3's own code.

    What the prompt adds to the estimate, `D_c - D_u`, is stripped of what is parallel to `D_c`, over a whole
    sample. So the prompt turns an estimate, and makes none louder.
    """

    remembers = False

    def unconditional(self, x: Tensor, sigma: Tensor, unconditional: Tensor, conditional: Tensor) -> Tensor:
        flat = conditional.flatten(1).double()
        added = (conditional - unconditional).flatten(1).double()
        direction = torch.nn.functional.normalize(flat, dim=1)
        across = added - (added * direction).sum(dim=1, keepdim=True) * direction
        return conditional - across.to(conditional).view_as(conditional)


class AdaptiveProjection:
    """Adaptive projected guidance of a rectified flow (Sadat et al. 2024, arXiv 2410.02416), as in ACE-Step.

    The difference of the velocities, with and without the prompt, is averaged over the steps with a momentum,
    bounded in norm, and stripped of what is parallel to the prompt's velocity:

        d  = v_c - v_u + momentum * d of the step before
        d' = d * min(1, norm / |d|)
        u  = d' - <d', v_c> v_c / |v_c|^2
        v  = v_c + (s - 1) u

    which is classifier-free guidance with `v_c - u` for `v_u`. In denoised estimates `v = (z - D) / t`, so
    the estimate that stands for `D_u` is `D_c + t * u`. Equal predictions of all steps cancel exactly.

    Args:
        time_axis: the axis of the latents over which norms and products are taken.
        norm: above which a difference is shortened.
        momentum: of the running sum; negative ones damp it.
    """

    remembers = True

    def __init__(self, time_axis: int, *, norm: float = 2.5, momentum: float = -0.75) -> None:
        self.time_axis, self.norm, self.momentum = time_axis, norm, momentum
        self._difference: Tensor | float = 0.0

    def unconditional(self, x: Tensor, sigma: Tensor, unconditional: Tensor, conditional: Tensor) -> Tensor:
        level = per_sample(sigma.to(x), x)
        z, share = x / (1 + level), level / (1 + level)
        velocity = (z - conditional) / share
        difference = (unconditional - conditional) / share + self.momentum * self._difference
        self._difference = difference
        length = torch.linalg.vector_norm(difference, dim=self.time_axis, keepdim=True)
        difference = difference * (self.norm / length).clamp(max=1)
        direction = torch.nn.functional.normalize(velocity.double(), dim=self.time_axis)
        along = (difference.double() * direction).sum(dim=self.time_axis, keepdim=True) * direction
        instead: Tensor = conditional + share * (difference - along.to(difference))
        return instead
