"""Text-to-audio generation that steers away from its training recordings.

    prompt -> conditioning -> sampler loop (denoiser inside guidance, which asks embedder and index)
           -> sound and its provenance -> audit -> report

Where things are, from the ground up; imports run one way, what is below never looks up:

    errors      what can go wrong, one class a cause
    common      files, shards, checks of values, a cache by content, Ray
    audio       reading, writing, resampling, what is wrong with a waveform
    backbones   the text-to-audio models: encode a prompt, denoise latents, decode them
    diffusion   noise schedules, samplers over `model(x, sigma)`, the pull of a prompt
    embedders   waveform -> unit vector (CLAP), differentiable
    index       the training set: ids, captions, embeddings; building it, searching it
    guidance    any denoiser in, a guided denoiser out, with a trace of every step; a method a folder
    auditing    whether a sound replays a catalogue, where, and how surely; the report
    generation  the whole story: load a model, generate sounds, with their provenance
    evaluation  experiments on matched seeds: metrics and their intervals
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
    from unheard.auditing import Audit, Catalogue, audit
    from unheard.diffusion.settings import Sampling
    from unheard.errors import RejectedError, UnheardError
    from unheard.generation.model import Model, load
    from unheard.generation.sound import Sound
    from unheard.guidance.amg.denoiser import AMGDenoiser
    from unheard.guidance.amg.settings import AMG
    from unheard.guidance.classifier_free import ClassifierFreeGuidance
    from unheard.index import Index

__all__ = [
    "AMG",
    "AMGDenoiser",
    "Audit",
    "Catalogue",
    "ClassifierFreeGuidance",
    "Index",
    "Model",
    "RejectedError",
    "Sampling",
    "Sound",
    "UnheardError",
    "__version__",
    "audit",
    "load",
]

_HOMES = {
    "AMG": "guidance",
    "Audit": "auditing",
    "Catalogue": "auditing",
    "ClassifierFreeGuidance": "guidance.classifier_free",
    "AMGDenoiser": "guidance.amg.denoiser",
    "Index": "index",
    "Model": "generation.model",
    "RejectedError": "errors",
    "Sampling": "diffusion.settings",
    "Sound": "generation.sound",
    "UnheardError": "errors",
    "audit": "auditing",
    "load": "generation.model",
}


def __getattr__(name: str) -> object:
    """Import an export when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'unheard' has no attribute {name!r}")
    return getattr(import_module(f"unheard.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
