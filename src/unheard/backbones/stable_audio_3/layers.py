"""LoRAs on a Stable Audio 3 model: they name its layers as the code does that they are trained with."""

from __future__ import annotations

from collections.abc import Sequence

from unheard.backbones.lora import LoRA
from unheard.backbones.low_rank import merge
from unheard.backbones.native.renaming import finder
from unheard.backbones.stable_audio_3.backbone import StableAudio3Backbone
from unheard.backbones.stable_audio_3.native.renaming import renamer


def merge_loras(backbone: StableAudio3Backbone, loras: Sequence[LoRA]) -> None:
    """Merge LoRAs into the weights of a model, see `unheard.backbones.low_rank.merge`."""
    parts = {"transformer": backbone.transformer, "duration_embedder": backbone.duration_embedder}
    merge(loras, finder(parts, renamer(backbone.vae, backbone.transformer)), backbone.name)
