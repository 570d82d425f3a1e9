"""LoRAs on a Stable Audio model: they name its layers as stable-audio-tools does, where they are trained."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from unheard.backbones.lora import LoRA
from unheard.backbones.low_rank import merge
from unheard.backbones.native.renaming import finder
from unheard.backbones.stable_audio.backbone import StableAudioBackbone
from unheard.backbones.stable_audio.native.renaming import renamed


def merge_loras(backbone: StableAudioBackbone, loras: Sequence[LoRA]) -> None:
    """Merge LoRAs into the weights of a model, see `unheard.backbones.low_rank.merge`."""
    parts = {"transformer": backbone.transformer, "projection_model": backbone.projection_model}
    merge(loras, finder(parts, partial(renamed, blocks=0)), backbone.name)
