"""The prompt's embedding is moved until it pulls no more than a prompt should."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unheard.guidance.base import Denoiser
    from unheard.guidance.prompt_adjustment.settings import PromptAdjustment
    from unheard.guidance.trajectory import Trajectory


def make_denoiser(settings: PromptAdjustment, trajectory: Trajectory) -> Denoiser:
    """The denoiser of one trajectory."""
    from unheard.guidance.prompt_adjustment.denoiser import PromptAdjustmentDenoiser

    return PromptAdjustmentDenoiser(
        trajectory.backbone.denoise,
        trajectory.conditional,
        trajectory.unconditional,
        guidance_scale=trajectory.guidance_scale,
        prompt_guidance=trajectory.backbone.prompt_guidance(),
        settings=settings,
    )
