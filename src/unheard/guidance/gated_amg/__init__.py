"""The published guidance behind the detour's gate."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unheard.guidance.amg.denoiser import AMGDenoiser
    from unheard.guidance.base import Denoiser
    from unheard.guidance.gated_amg.settings import GatedAMG
    from unheard.guidance.trajectory import Trajectory


def make_denoiser(settings: GatedAMG, trajectory: Trajectory) -> Denoiser:
    """The denoiser of one trajectory."""
    from unheard.guidance import amg
    from unheard.guidance.detour import make_gate
    from unheard.guidance.detour.candidates import Candidates
    from unheard.guidance.gated_amg.denoiser import GatedAMGDenoiser

    def published(sample: int) -> AMGDenoiser:
        alone = replace(
            trajectory,
            prompts=[trajectory.prompts[sample]],
            conditional=trajectory.conditional.select([sample]),
            unconditional=trajectory.unconditional.select([sample]),
        )
        return amg.make_denoiser(settings.published, alone)

    candidates = Candidates(trajectory, settings.candidates)
    return GatedAMGDenoiser(trajectory, make_gate(settings.gate, trajectory, candidates), published)
