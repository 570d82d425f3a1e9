"""Which denoiser a kind of guidance is: the table that `unheard.generate` chooses from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unheard.guidance.anti_memorization import GuidedDenoiser
from unheard.guidance.attraction_basin import AttractionBasinDenoiser
from unheard.guidance.candidates import Candidates
from unheard.guidance.classifier_free import ClassifierFreeGuidance
from unheard.guidance.detour import DetourDenoiser
from unheard.guidance.gates import EitherGate, Gate, LatentGate, PullGate
from unheard.guidance.prompt_adjustment import PromptAdjustmentDenoiser
from unheard.guidance.step import Denoiser
from unheard.guidance.trajectory import Trajectory
from unheard.guidance.volumetric import VolumetricDenoiser
from unheard.settings import AMG, AttractionBasin, Detour, Guidance, PromptAdjustment, Volumetric


def denoiser_for(guidance: Guidance | None, trajectory: Trajectory) -> Denoiser:
    """The denoiser of a trajectory under a guidance; None is classifier-free guidance alone."""
    made_of, needs = (
        (ClassifierFreeGuidance, {}) if guidance is None else DENOISERS[type(guidance)](guidance, trajectory)
    )
    return made_of(
        trajectory.backbone.denoise,
        trajectory.conditional,
        trajectory.unconditional,
        guidance_scale=trajectory.guidance_scale,
        **needs,
    )


Made = tuple[Callable[..., Denoiser], dict[str, Any]]
"""A class of denoisers, and what it is given besides the model, the conditionings and the scale."""


def _anti_memorization(settings: AMG, trajectory: Trajectory) -> Made:
    captions = {"encode_neighbours": trajectory.encode_neighbours}
    return GuidedDenoiser, {"amg": settings, **_listening(trajectory), **captions}


def _attraction_basin(settings: AttractionBasin, trajectory: Trajectory) -> Made:
    return AttractionBasinDenoiser, {"settings": settings}


def _detour(settings: Detour, trajectory: Trajectory) -> Made:
    candidates, frames = Candidates(trajectory, settings.candidates), trajectory.frames
    pull = PullGate(settings.pull, frames)
    gate: Gate = pull
    if trajectory.request.recordings:
        gate = EitherGate(LatentGate(settings.threshold, frames, candidates), pull, candidates)
    return DetourDenoiser, {
        "prompt_share": settings.prompt_share,
        "gate": gate,
        "ways": candidates.ways,
        "encode_captions": trajectory.encode_captions,
    }


def _prompt_adjustment(settings: PromptAdjustment, trajectory: Trajectory) -> Made:
    return PromptAdjustmentDenoiser, {"settings": settings}


def _volumetric(settings: Volumetric, trajectory: Trajectory) -> Made:
    return VolumetricDenoiser, {"settings": settings, **_listening(trajectory)}


def _listening(trajectory: Trajectory) -> dict[str, Any]:
    """What a kind needs that decodes, embeds and searches at each step."""
    return {"decode": trajectory.decode, "embed": trajectory.embed, "index": trajectory.index}


DENOISERS: dict[type[Any], Callable[[Any, Trajectory], Made]] = {
    AMG: _anti_memorization,
    AttractionBasin: _attraction_basin,
    Detour: _detour,
    PromptAdjustment: _prompt_adjustment,
    Volumetric: _volumetric,
}
"""What each kind is made of; `unheard.settings.GUIDANCES` has the kinds by name."""
