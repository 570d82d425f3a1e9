"""The detour's gate is asked once; where it opens, the sound is made under another caption throughout."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unheard.guidance.base import Denoiser
    from unheard.guidance.static_rewrite.settings import StaticRewrite
    from unheard.guidance.trajectory import Trajectory


def make_denoiser(settings: StaticRewrite, trajectory: Trajectory) -> Denoiser:
    """The denoiser of one trajectory: with the detour's gate, by recordings or by the prompt's pull."""
    from unheard.guidance.detour import make_gate
    from unheard.guidance.detour.candidates import Candidates
    from unheard.guidance.detour.settings import Detour
    from unheard.guidance.static_rewrite.denoiser import StaticRewriteDenoiser

    gates = Detour(
        threshold=settings.threshold,
        pull=settings.pull,
        candidates=settings.candidates,
        high_noise=settings.high_noise,
    )
    candidates = Candidates(trajectory, gates.candidates)
    gate = make_gate(gates, trajectory, candidates)
    return StaticRewriteDenoiser(trajectory, gate, candidates.fallbacks)
