"""The published anti-memorization guidance: its `settings`, its `equations`, and the `denoiser`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unheard.guidance.amg.denoiser import AMGDenoiser
    from unheard.guidance.amg.settings import AMG
    from unheard.guidance.trajectory import Trajectory


def make_denoiser(settings: AMG, trajectory: Trajectory) -> AMGDenoiser:
    """The denoiser of one trajectory."""
    from unheard.guidance.amg.denoiser import AMGDenoiser

    return AMGDenoiser(
        trajectory.backbone.denoise,
        trajectory.conditional,
        trajectory.unconditional,
        guidance_scale=trajectory.guidance_scale,
        prompt_guidance=trajectory.backbone.prompt_guidance(),
        settings=settings,
        decode=trajectory.decode,
        embed=trajectory.embed,
        index=trajectory.index,
        encode_neighbours=trajectory.encode_neighbours,
    )
