"""Repulsion from the volume that the nearest training items span."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unheard.guidance.base import Denoiser
    from unheard.guidance.trajectory import Trajectory
    from unheard.guidance.volumetric.settings import Volumetric


def make_denoiser(settings: Volumetric, trajectory: Trajectory) -> Denoiser:
    """The denoiser of one trajectory."""
    from unheard.guidance.volumetric.denoiser import VolumetricDenoiser

    return VolumetricDenoiser(
        trajectory.backbone.denoise,
        trajectory.conditional,
        trajectory.unconditional,
        guidance_scale=trajectory.guidance_scale,
        prompt_guidance=trajectory.backbone.prompt_guidance(),
        settings=settings,
        decode=trajectory.decode,
        embed=trajectory.embed,
        index=trajectory.index,
        time_axis=trajectory.backbone.time_axis,
    )
