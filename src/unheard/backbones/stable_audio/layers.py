"""The layers of a Stable Audio model by their names in stable-audio-tools, where LoRAs are trained."""

from __future__ import annotations

import re
from collections.abc import Sequence

from torch import nn

from unheard.backbones.lora import LoRA
from unheard.backbones.low_rank import merge
from unheard.backbones.stable_audio.backbone import StableAudioBackbone
from unheard.backbones.stable_audio.native.renaming import renamed


def merge_loras(backbone: StableAudioBackbone, loras: Sequence[LoRA]) -> None:
    """Merge LoRAs into the weights of a model, see `unheard.backbones.low_rank.merge`."""
    merge(loras, lambda layer: weights_of_layer(backbone, layer), backbone.name)


def weights_of_layer(backbone: StableAudioBackbone, layer: str) -> list[nn.Parameter] | None:
    """The weights that the rows of a layer's weight are in, one after another; None for no layer.

    LoRAs name layers from the transformer's wrapper on (`model.transformer.layers.0.self_attn.to_qkv`), or
    from the conditioners on (`conditioners.seconds_total...`), whatever those themselves are held by.
    """
    _, is_conditioner, own = layer.rpartition("conditioners.")
    within = "conditioner.conditioners." if is_conditioner else "model.model."
    place = renamed(f"{within}{re.sub(r'^(model[.])+', '', own)}.weight", blocks=0)
    if place is None:
        return None
    try:
        return [getattr(backbone, place.part).get_parameter(own) for own in place.names]
    except AttributeError:
        return None
