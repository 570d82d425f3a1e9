"""Which denoiser a kind of guidance is: the table that `unheard.generate` chooses from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unheard.guidance.anti_memorization import GuidedDenoiser
from unheard.guidance.attraction_basin import AttractionBasinDenoiser
from unheard.guidance.candidates import Candidates
from unheard.guidance.classifier_free import ClassifierFreeGuidance
from unheard.guidance.detour import DetourDenoiser
from unheard.guidance.prompt_adjustment import PromptAdjustmentDenoiser
from unheard.guidance.step import Denoiser
from unheard.guidance.trajectory import Trajectory
from unheard.guidance.volumetric import VolumetricDenoiser
from unheard.settings import AMG, AttractionBasin, Detour, Guidance, PromptAdjustment, Volumetric


def denoiser_for(guidance: Guidance | None, trajectory: Trajectory) -> Denoiser:
    """The denoiser of a trajectory under a guidance; None is classifier-free guidance alone."""
    if guidance is None:
        return ClassifierFreeGuidance(*_parts(trajectory), guidance_scale=trajectory.guidance_scale)
    return DENOISERS[type(guidance)](guidance, trajectory)


def _anti_memorization(settings: AMG, trajectory: Trajectory) -> Denoiser:
    return GuidedDenoiser(
        *_parts(trajectory),
        guidance_scale=trajectory.guidance_scale,
        amg=settings,
        decode=trajectory.decode,
        embed=trajectory.embed,
        index=trajectory.index,
        encode_neighbours=trajectory.encode_neighbours,
    )


def _attraction_basin(settings: AttractionBasin, trajectory: Trajectory) -> Denoiser:
    return AttractionBasinDenoiser(
        *_parts(trajectory), guidance_scale=trajectory.guidance_scale, settings=settings
    )


def _detour(settings: Detour, trajectory: Trajectory) -> Denoiser:
    candidates = Candidates(trajectory, settings.candidates)
    return DetourDenoiser(
        *_parts(trajectory),
        guidance_scale=trajectory.guidance_scale,
        settings=settings,
        frames=trajectory.frames,
        find=candidates.find,
        ways=candidates.ways,
        encode_captions=trajectory.encode_captions,
    )


def _prompt_adjustment(settings: PromptAdjustment, trajectory: Trajectory) -> Denoiser:
    return PromptAdjustmentDenoiser(
        *_parts(trajectory), guidance_scale=trajectory.guidance_scale, settings=settings
    )


def _volumetric(settings: Volumetric, trajectory: Trajectory) -> Denoiser:
    return VolumetricDenoiser(
        *_parts(trajectory),
        guidance_scale=trajectory.guidance_scale,
        settings=settings,
        decode=trajectory.decode,
        embed=trajectory.embed,
        index=trajectory.index,
    )


DENOISERS: dict[type[Any], Callable[[Any, Trajectory], Denoiser]] = {
    AMG: _anti_memorization,
    AttractionBasin: _attraction_basin,
    Detour: _detour,
    PromptAdjustment: _prompt_adjustment,
    Volumetric: _volumetric,
}
"""What makes the denoiser of each kind; `unheard.settings.GUIDANCES` has the kinds by name."""


def _parts(trajectory: Trajectory) -> tuple[Any, Any, Any]:
    return trajectory.backbone.denoise, trajectory.conditional, trajectory.unconditional
