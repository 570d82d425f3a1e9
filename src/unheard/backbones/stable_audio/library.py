"""The classes of diffusers that a Stable Audio model is made of, imported without all its other models.

The packages below import each of their models, and with them half of transformers: a second and more.
"""

from __future__ import annotations

from unheard.backbones.stable_audio.deferred import defer

for _package in ("autoencoders", "transformers", "unets"):
    defer(f"diffusers.models.{_package}")

from diffusers.models.autoencoders.autoencoder_oobleck import (  # noqa: E402
    AutoencoderOobleck,
    OobleckDecoder,
    OobleckResidualUnit,
    Snake1d,
)
from diffusers.models.embeddings import get_1d_rotary_pos_embed  # noqa: E402
from diffusers.models.transformers.stable_audio_transformer import StableAudioDiTModel  # noqa: E402
from diffusers.pipelines.stable_audio.modeling_stable_audio import (  # noqa: E402
    StableAudioProjectionModel,
)

__all__ = [
    "AutoencoderOobleck",
    "OobleckDecoder",
    "OobleckResidualUnit",
    "Snake1d",
    "StableAudioDiTModel",
    "StableAudioProjectionModel",
    "get_1d_rotary_pos_embed",
]
