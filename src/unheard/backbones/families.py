"""Which pipeline classes can be loaded, and by which of our classes. No torch in here.

A family is a file or a folder beside this one, and a line in `FAMILIES`; nothing outside this package knows
one. A backbone of one's own is registered from outside with `register`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from unheard.backbones.base import Backbone

Load = Callable[[Path, str, "torch.device", "torch.dtype"], "Backbone"]
"""From a folder, what to call the model in messages, a device and a number format, to a backbone."""

FAMILIES: dict[str, Load] = {}
"""What loads a pipeline, by the `_class_name` of its `model_index.json`."""


def register(pipeline: str, load: Load) -> None:
    """Have models of a pipeline class loaded by a function; an earlier one of that class is replaced."""
    FAMILIES[pipeline] = load


def _stable_audio(folder: Path, name: str, device: torch.device, dtype: torch.dtype) -> Backbone:
    from unheard.backbones.stable_audio.backbone import StableAudioBackbone

    return StableAudioBackbone.from_folder(folder, name=name, device=device, dtype=dtype)


def _stable_audio_3(folder: Path, name: str, device: torch.device, dtype: torch.dtype) -> Backbone:
    from unheard.backbones.stable_audio_3.backbone import StableAudio3Backbone

    return StableAudio3Backbone.from_folder(folder, name=name, device=device, dtype=dtype)


register("StableAudioPipeline", _stable_audio)
for _pipeline in ("StableAudio3Pipeline", "StableAudio3AudioToAudioPipeline", "StableAudio3InpaintPipeline"):
    register(_pipeline, _stable_audio_3)
