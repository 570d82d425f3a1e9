"""Every prompt is left for the nearest caption of the training set, whatever it leads to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unheard.guidance.base import Denoiser
    from unheard.guidance.nearest_caption.settings import NearestCaption
    from unheard.guidance.trajectory import Trajectory


def make_denoiser(settings: NearestCaption, trajectory: Trajectory) -> Denoiser:
    """The denoiser of one trajectory."""
    from unheard.guidance.detour.candidates import Candidates
    from unheard.guidance.detour.settings import Detour
    from unheard.guidance.nearest_caption.denoiser import NearestCaptionDenoiser

    candidates = Candidates(trajectory, Detour.candidates)
    return NearestCaptionDenoiser(trajectory, settings, candidates.fallbacks)
