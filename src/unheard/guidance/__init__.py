"""Guidance as a wrapper: a denoiser in, a denoiser out, with a trace of every step; one file a kind.

anti_memorization   plain classifier-free guidance, and the published anti-memorization guidance
attraction_basin    no or opposite guidance until the trajectory has left a basin
detour              another caption where the sound on its way is a training recording
"""

from __future__ import annotations

from unheard.guidance.anti_memorization import (
    ClassifierFreeGuidance,
    Denoise,
    GuidanceWarning,
    GuidedDenoiser,
    Step,
)
from unheard.guidance.attraction_basin import AttractionBasinDenoiser
from unheard.guidance.detour import DetourDenoiser

__all__ = [
    "AttractionBasinDenoiser",
    "ClassifierFreeGuidance",
    "Denoise",
    "DetourDenoiser",
    "GuidanceWarning",
    "GuidedDenoiser",
    "Step",
]
