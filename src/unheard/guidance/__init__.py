"""Guidance as a wrapper: a denoiser in, a denoiser out, so that a sampler never learns of it.

Every kind has a file, and works per sample: a batch of different prompts gives what each prompt gives alone.

classifier_free     the plain kind: nothing is steered away from
anti_memorization   the published guidance
attraction_basin    no or opposite guidance until the trajectory has left a basin
detour              another caption where the sound on its way is a training recording
prompt_adjustment   the prompt's embedding is moved until its pull is an ordinary one's
volumetric          repulsion from the volume that the nearest items span
gates               what tells a detour that a sound is a recording
candidates          the training items that a detour compares with, and where it may lead
trajectory          what a denoiser is made for
choice              which denoiser a kind is
step                what all share
"""

from __future__ import annotations

from unheard.guidance.anti_memorization import GuidedDenoiser
from unheard.guidance.attraction_basin import AttractionBasinDenoiser
from unheard.guidance.choice import DENOISERS, denoiser_for
from unheard.guidance.classifier_free import ClassifierFreeGuidance
from unheard.guidance.detour import DetourDenoiser
from unheard.guidance.prompt_adjustment import PromptAdjustmentDenoiser
from unheard.guidance.step import Denoise, Denoiser, GuidanceWarning, Step
from unheard.guidance.trajectory import Trajectory
from unheard.guidance.volumetric import VolumetricDenoiser

__all__ = [
    "DENOISERS",
    "AttractionBasinDenoiser",
    "ClassifierFreeGuidance",
    "Denoise",
    "Denoiser",
    "DetourDenoiser",
    "GuidanceWarning",
    "GuidedDenoiser",
    "PromptAdjustmentDenoiser",
    "Step",
    "Trajectory",
    "VolumetricDenoiser",
    "denoiser_for",
]
