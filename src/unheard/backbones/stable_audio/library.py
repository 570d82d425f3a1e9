"""What a Stable Audio model is made of in diffusers and transformers, imported without their other models."""

from __future__ import annotations

from unheard.common.imports import importing
from unheard.common.model_libraries import defer_unused_parts

__all__ = [
    "AutoTokenizer",
    "AutoencoderOobleck",
    "OobleckDecoder",
    "OobleckDecoderBlock",
    "OobleckResidualUnit",
    "PreTrainedTokenizerBase",
    "Snake1d",
    "StableAudioDiTModel",
    "StableAudioProjectionModel",
    "T5EncoderModel",
    "get_1d_rotary_pos_embed",
]

with importing():
    defer_unused_parts()

    from diffusers.models.autoencoders.autoencoder_oobleck import (
        AutoencoderOobleck,
        OobleckDecoder,
        OobleckDecoderBlock,
        OobleckResidualUnit,
        Snake1d,
    )
    from diffusers.models.embeddings import get_1d_rotary_pos_embed
    from diffusers.models.transformers.stable_audio_transformer import StableAudioDiTModel
    from diffusers.pipelines.stable_audio.modeling_stable_audio import StableAudioProjectionModel
    from transformers import AutoTokenizer, PreTrainedTokenizerBase, T5EncoderModel
