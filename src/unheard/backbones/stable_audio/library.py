"""What a Stable Audio model is made of in diffusers and transformers, imported without their other models.

The packages below import each of their models, and with them half of transformers: a second and more.
"""

from __future__ import annotations

from unheard.common.imports import defer, importing

__all__ = [
    "AutoTokenizer",
    "AutoencoderOobleck",
    "OobleckDecoder",
    "OobleckResidualUnit",
    "PreTrainedTokenizerBase",
    "Snake1d",
    "StableAudioDiTModel",
    "StableAudioProjectionModel",
    "T5EncoderModel",
    "get_1d_rotary_pos_embed",
]

with importing():
    for _package in ("autoencoders", "transformers", "unets"):
        defer(f"diffusers.models.{_package}")

    from diffusers.models.autoencoders.autoencoder_oobleck import (
        AutoencoderOobleck,
        OobleckDecoder,
        OobleckResidualUnit,
        Snake1d,
    )
    from diffusers.models.embeddings import get_1d_rotary_pos_embed
    from diffusers.models.transformers.stable_audio_transformer import StableAudioDiTModel
    from diffusers.pipelines.stable_audio.modeling_stable_audio import StableAudioProjectionModel
    from transformers import AutoTokenizer, PreTrainedTokenizerBase, T5EncoderModel
