"""Chance is put into the prompt: random words, or noise on its embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unheard.guidance.base import Denoiser
    from unheard.guidance.prompt_noise.settings import PromptNoise
    from unheard.guidance.trajectory import Trajectory


def make_denoiser(settings: PromptNoise, trajectory: Trajectory) -> Denoiser:
    """The denoiser of one trajectory."""
    from unheard.guidance.prompt_noise.denoiser import PromptNoiseDenoiser

    return PromptNoiseDenoiser(trajectory, settings)
