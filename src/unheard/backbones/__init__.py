"""Text-to-audio models, a file or a folder a family, around the parts of the family's diffusers pipeline.

base            what a backbone is, and what it makes of prompts
families        the registry: pipeline class to ours
pipelines       what a guidance has to know of a diffusers pipeline to work inside of it
hub             which models there are, and where their files lie
contained       a model's folder names no file outside itself, and no code
fingerprint     what tells a model's files from any others
parts           the parts of a pipeline, read from its folder
texts           prompts before a text encoder reads them
pieces          long recordings through an autoencoder, in pieces
device          which device and number format a model runs in
stable_audio    Stable Audio Open
stable_audio_3  Stable Audio 3
longcat         LongCat-AudioDiT

`load_backbone` loads a model by name. A backbone of one's own needs what `Backbone` lists, and nothing else.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from unheard.backbones import hub
from unheard.backbones.families import FAMILIES, register

if TYPE_CHECKING:
    import torch

    from unheard.backbones.base import Backbone, Conditioning
    from unheard.backbones.device import resolve_device, resolve_dtype

__all__ = [
    "FAMILIES",
    "Backbone",
    "Conditioning",
    "load_backbone",
    "register",
    "resolve_device",
    "resolve_dtype",
]

_HOMES = {"Backbone": "base", "Conditioning": "base", "resolve_device": "device", "resolve_dtype": "device"}


def __getattr__(name: str) -> object:
    """Import what needs torch when it is first asked for, so that names of models cost nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'unheard.backbones' has no attribute {name!r}")
    return getattr(import_module(f"unheard.backbones.{_HOMES[name]}"), name)


def load_backbone(
    model: str | Path = "tiny",
    *,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype | None = None,
) -> Backbone:
    """Load a model: `tiny`, a folder in diffusers' layout, or `owner/name` on the Hugging Face hub.

    Args:
        model: see `unheard.backbones.hub.fetch`.
        device: auto, cpu, cuda, cuda:N or mps.
        dtype: float32 (also None), float16 or bfloat16.

    Raises:
        ModelError: the model cannot be found or loaded.
        InputError: an unknown or absent device, an unknown dtype.
    """
    from unheard.backbones.device import resolve_device, resolve_dtype

    # Asked before the model is: a wrong device should not cost a download.
    where, number_format = resolve_device(device), resolve_dtype(dtype)
    folder = hub.fetch(model)
    return FAMILIES[hub.pipeline_class(folder)](folder, str(model), where, number_format)
