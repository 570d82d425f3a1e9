"""Text-to-audio models, a file or a folder a family, around the parts of the family's diffusers pipeline.

base            what a backbone is, and what it makes of prompts
families        the registry: pipeline class to ours
of_pipeline     what backbones share that are made of a pipeline's parts
pipelines       what a guidance has to know of a diffusers pipeline to work inside of it
hub             which models there are, and where their files lie
native          which files are a model in the layout of stable-audio-tools
downloads       what is asked of the hub, and said where it does not answer
contained       a model's folder names no file outside itself, and no code
fingerprint     what tells a model's files from any others
parts           the parts of a pipeline, read from its folder
texts           prompts before a text encoder reads them
sequences       conditioning by one sequence a sample, each of a length of its own
pieces          long recordings through an autoencoder, in pieces
device          which device and number format a model runs in
lora            which LoRAs are merged into a model
low_rank        LoRA and its kin: read, and merged into weights
stable_audio    Stable Audio Open
stable_audio_3  Stable Audio 3
longcat         LongCat-AudioDiT
ace_step        ACE-Step 1.5
audioldm2       AudioLDM 2

`load_backbone` loads a model by name. A backbone of one's own needs what `Backbone` lists, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from unheard.backbones import hub
from unheard.backbones.families import FAMILIES, OPTIONS, register
from unheard.backbones.lora import Given, given_loras
from unheard.errors import InputError

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
    lora: Sequence[Given] = (),
    text_encoder: str | Path | None = None,
) -> Backbone:
    """Load a model: `tiny`, a folder, a checkpoint in the native layout, or `owner/name` on the hub.

    Args:
        model: see `unheard.backbones.hub.locate`.
        device: auto, cpu, cuda, cuda:N or mps.
        dtype: float32 (also None), float16 or bfloat16.
        lora: LoRAs to merge into the weights, in this order: files, each perhaps with its weight,
            `("pads.safetensors", 0.8)`, which is 1 where it is left out.
        text_encoder: the folder of the text encoder, for a model that comes without; None for the one that
            the model names, beside it or on the hub.

    Raises:
        ModelError: the model cannot be found or loaded, or a LoRA does not fit it.
        InputError: an unknown or absent device, an unknown dtype, a LoRA that is not there, an option that
            the model does not take.
    """
    from unheard.backbones.device import resolve_device, resolve_dtype

    # Asked before the model is: a wrong device should not cost a download.
    where, number_format = resolve_device(device), resolve_dtype(dtype)
    asked = {"lora": given_loras(lora), "text_encoder": text_encoder}
    located = hub.locate(model)
    pipeline = hub.pipeline_class(located)
    options = {name: value for name, value in asked.items() if value}
    for name in options.keys() - OPTIONS[pipeline]:
        raise InputError(f"{model} is a {pipeline}, which takes no {name}: leave it out")
    return FAMILIES[pipeline](located, str(model), where, number_format, **options)
