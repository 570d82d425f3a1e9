"""Text-to-audio generation that steers away from its training recordings.

    prompt -> conditioning -> sampler loop (denoiser inside guidance, which asks embedder and index)
           -> sound and its provenance -> audit -> report

Where things are, from the ground up; imports run one way, what is below never looks up:

    errors      what can go wrong, one class a cause
    common      files, shards, checks of values, a cache by content, Ray
    audio       reading, writing, resampling, what is wrong with a waveform
    figures     pictures of sounds: spectrograms, matrices of similarities, trajectories
    diffusion   noise schedules, samplers over `model(x, sigma)`, what networks predict
    backbones   the text-to-audio models: encode a prompt, denoise latents, decode them
    embedders   waveform -> unit vector (CLAP), differentiable
    index       the training set: ids, captions, embeddings; building it, searching it
    guidance    any denoiser in, a guided denoiser out, with a trace of every step; a method a folder
    auditing    whether a sound replays a catalogue, where, and how surely; the report
    generation  the whole story: load a model, generate sounds, with their provenance
    evaluation  experiments on matched seeds: metrics and their intervals
    studio      generating, comparing, auditing and indexing in a browser
    doctor      what this machine has and lacks
    cli         the command line
    __main__    `python -m unheard`

Nothing heavy is imported until it is used: `import unheard` loads neither torch nor diffusers nor
transformers.

    import unheard
    model = unheard.load("tiny")
    sounds = model.generate("An acoustic drum loop, 110 bpm", seed=0)
    sounds[0].save("audio.wav")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from unheard.auditing.assembly import audit
    from unheard.auditing.catalogue import Catalogue
    from unheard.auditing.results import Audit, FileAudit, Match
    from unheard.backbones import load_backbone
    from unheard.backbones.base import Backbone, Conditioning
    from unheard.common.sound_limits import SoundLimits, sound_limits
    from unheard.diffusion.settings import Sampling
    from unheard.embedders import Embedder, load_embedder
    from unheard.errors import (
        GuidanceError,
        IndexFileError,
        InputError,
        ModelError,
        OutOfMemoryError,
        RejectedError,
        UnheardError,
    )
    from unheard.generation.attach import Attached, attach
    from unheard.generation.batches import Progress
    from unheard.generation.calibration.calibrating import calibrate
    from unheard.generation.calibration.record import Calibration
    from unheard.generation.model import Model, load
    from unheard.generation.progress_bar import ProgressBar
    from unheard.generation.request import Request
    from unheard.generation.sound import Sound, TraceStep
    from unheard.generation.training_set import TrainingSet
    from unheard.guidance.amg.denoiser import AMGDenoiser
    from unheard.guidance.amg.settings import AMG
    from unheard.guidance.attraction_basin.settings import AttractionBasin
    from unheard.guidance.base import Denoiser, Guidance, GuidanceWarning
    from unheard.guidance.classifier_free import ClassifierFreeGuidance
    from unheard.guidance.detour.settings import Detour
    from unheard.guidance.gated_amg.settings import GatedAMG
    from unheard.guidance.nearest_caption.settings import NearestCaption
    from unheard.guidance.prompt_adjustment.settings import PromptAdjustment
    from unheard.guidance.prompt_noise.settings import PromptNoise
    from unheard.guidance.rare_words.settings import RareWords
    from unheard.guidance.static_rewrite.settings import StaticRewrite
    from unheard.guidance.volumetric.settings import Volumetric
    from unheard.index import Index

__all__ = [
    "AMG",
    "AMGDenoiser",
    "Attached",
    "AttractionBasin",
    "Audit",
    "Backbone",
    "Calibration",
    "Catalogue",
    "ClassifierFreeGuidance",
    "Conditioning",
    "Denoiser",
    "Detour",
    "Embedder",
    "FileAudit",
    "GatedAMG",
    "Guidance",
    "GuidanceError",
    "GuidanceWarning",
    "Index",
    "IndexFileError",
    "InputError",
    "Match",
    "Model",
    "ModelError",
    "NearestCaption",
    "OutOfMemoryError",
    "Progress",
    "ProgressBar",
    "PromptAdjustment",
    "PromptNoise",
    "RareWords",
    "RejectedError",
    "Request",
    "Sampling",
    "Sound",
    "SoundLimits",
    "StaticRewrite",
    "TraceStep",
    "TrainingSet",
    "UnheardError",
    "Volumetric",
    "__version__",
    "attach",
    "audit",
    "calibrate",
    "load",
    "load_backbone",
    "load_embedder",
    "sound_limits",
]

_HOMES = {
    "AMG": "guidance.amg.settings",
    "AMGDenoiser": "guidance.amg.denoiser",
    "AttractionBasin": "guidance.attraction_basin.settings",
    "Attached": "generation.attach",
    "Audit": "auditing.results",
    "Backbone": "backbones.base",
    "Calibration": "generation.calibration.record",
    "Catalogue": "auditing.catalogue",
    "ClassifierFreeGuidance": "guidance.classifier_free",
    "Conditioning": "backbones.base",
    "Denoiser": "guidance.base",
    "Detour": "guidance.detour.settings",
    "Embedder": "embedders",
    "FileAudit": "auditing.results",
    "GatedAMG": "guidance.gated_amg.settings",
    "Guidance": "guidance.base",
    "GuidanceError": "errors",
    "GuidanceWarning": "guidance.base",
    "Index": "index",
    "IndexFileError": "errors",
    "InputError": "errors",
    "Match": "auditing.results",
    "Model": "generation.model",
    "ModelError": "errors",
    "NearestCaption": "guidance.nearest_caption.settings",
    "OutOfMemoryError": "errors",
    "Progress": "generation.batches",
    "ProgressBar": "generation.progress_bar",
    "PromptAdjustment": "guidance.prompt_adjustment.settings",
    "PromptNoise": "guidance.prompt_noise.settings",
    "RareWords": "guidance.rare_words.settings",
    "RejectedError": "errors",
    "Request": "generation.request",
    "Sampling": "diffusion.settings",
    "Sound": "generation.sound",
    "SoundLimits": "common.sound_limits",
    "StaticRewrite": "guidance.static_rewrite.settings",
    "TraceStep": "generation.sound",
    "TrainingSet": "generation.training_set",
    "UnheardError": "errors",
    "Volumetric": "guidance.volumetric.settings",
    "attach": "generation.attach",
    "audit": "auditing.assembly",
    "calibrate": "generation.calibration.calibrating",
    "load": "generation.model",
    "load_backbone": "backbones",
    "load_embedder": "embedders",
    "sound_limits": "common.sound_limits",
}


def __getattr__(name: str) -> object:
    """Import an export when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'unheard' has no attribute {name!r}")
    return getattr(import_module(f"unheard.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
