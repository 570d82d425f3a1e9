"""Text-to-audio generation that steers away from its training recordings.

    prompt -> conditioning -> sampler loop (denoiser inside guidance, which asks embedder and index)
           -> sound and its provenance -> audit -> report

Where things are, from the ground up; imports run one way, downwards never looks up:

    errors       what can go wrong, one class a cause
    spelling     what was meant by a misspelt name
    settings     the kinds of guidance with their weights and thresholds; sampler, steps, noise, scale
    amg          the equations of the guidance as pure functions on tensors
    sampling     noise schedules, Brownian noise, samplers over `model(x, sigma)`
    cluster      a Ray cluster, joined or started
    places       where a sound lies: in a file, or in a shard
    files        files that are written wholly or not at all, and their checksums
    audio        reading, writing, peaks, what is wrong with a waveform
    embedders    waveform -> unit vector (CLAP), differentiable
    index        the training set: ids, captions, embeddings; nearest-item search
    backbones    the text-to-audio models: encode a prompt, denoise latents, decode them
    models       the models known by name, and the settings that travel with each
    guidance     any denoiser in, a guided denoiser out, with a trace of every step
    request      what is asked for: prompts, seeds, duration, batches; checked before any work
    provenance   the JSON beside a WAV, and the way back from it
    latents      recordings as a model's autoencoder sees them, encoded once
    auditing     whether a sound replays a catalogue, where, and how surely; the report
    prompt_risk  how hard a prompt pulls, which tells memorised ones without the training set
    sound        what comes out: a waveform with its trace, its nearest training items, its provenance
    rejection    the closed loop: audit what was generated, and make copies again
    generate     the whole story: load a model, generate sounds
    replication  how often a model's sounds replay, with its interval
    evaluation   experiments on matched seeds: metrics and their intervals
    doctor       what this machine has and lacks
    cli          the command line

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
    from unheard.errors import RejectedError, UnheardError
    from unheard.generate import Model, load
    from unheard.guidance import ClassifierFreeGuidance, GuidedDenoiser
    from unheard.index import Index
    from unheard.settings import AMG, Sampling
    from unheard.sound import Sound

__all__ = [
    "AMG",
    "Audit",
    "Catalogue",
    "ClassifierFreeGuidance",
    "GuidedDenoiser",
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
    "AMG": "settings",
    "Audit": "auditing",
    "Catalogue": "auditing",
    "ClassifierFreeGuidance": "guidance",
    "GuidedDenoiser": "guidance",
    "Index": "index",
    "Model": "generate",
    "RejectedError": "errors",
    "Sampling": "settings",
    "Sound": "sound",
    "UnheardError": "errors",
    "audit": "auditing",
    "load": "generate",
}


def __getattr__(name: str) -> object:
    """Import an export when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'unheard' has no attribute {name!r}")
    return getattr(import_module(f"unheard.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
