"""Text-to-audio models, one file a family, around the parts of the family's diffusers pipeline.

`load_backbone` loads a model by name. A backbone of one's own needs what `Backbone` lists, and nothing else.
"""

from __future__ import annotations

from pathlib import Path

import torch

from unheard import models
from unheard.backbones.base import Backbone, Conditioning
from unheard.backbones.device import resolve_device, resolve_dtype

__all__ = ["Backbone", "Conditioning", "load_backbone", "resolve_device", "resolve_dtype"]


def load_backbone(
    model: str | Path = "tiny",
    *,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype | None = None,
) -> Backbone:
    """Load a model: `tiny`, a folder in diffusers' layout, or `owner/name` on the Hugging Face hub.

    Args:
        model: see `unheard.models.fetch`.
        device: auto, cpu, cuda, cuda:N or mps.
        dtype: float32 (also None), float16 or bfloat16.

    Raises:
        ModelError: the model cannot be found or loaded.
        InputError: an unknown or absent device, an unknown dtype.
    """
    # Asked before the model is: a wrong device should not cost a download.
    resolved_device, resolved_dtype = resolve_device(device), resolve_dtype(dtype)
    folder = models.fetch(model)

    from unheard.backbones.stable_audio import StableAudioBackbone

    return StableAudioBackbone.from_folder(
        folder, name=str(model), device=resolved_device, dtype=resolved_dtype
    )
