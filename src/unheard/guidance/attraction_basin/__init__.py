"""No guidance, or opposite guidance, until the trajectory has left the basin of a memorised sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unheard.guidance.attraction_basin.settings import AttractionBasin
    from unheard.guidance.base import Denoiser
    from unheard.guidance.trajectory import Trajectory


def make_denoiser(settings: AttractionBasin, trajectory: Trajectory) -> Denoiser:
    """The denoiser of one trajectory."""
    from unheard.guidance.attraction_basin.denoiser import AttractionBasinDenoiser

    return AttractionBasinDenoiser(
        trajectory.backbone.denoise,
        trajectory.conditional,
        trajectory.unconditional,
        guidance_scale=trajectory.guidance_scale,
        prompt_guidance=trajectory.backbone.prompt_guidance(),
        settings=settings,
    )
