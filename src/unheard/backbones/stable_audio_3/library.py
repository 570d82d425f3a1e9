"""What a Stable Audio 3 model is made of in diffusers and transformers, without their other models."""

from __future__ import annotations

from unheard.common.imports import importing
from unheard.common.model_libraries import defer_unused_parts

__all__ = [
    "AutoTokenizer",
    "AutoencoderSAME",
    "PreTrainedTokenizerBase",
    "RotaryEmbedding",
    "SAMEAttention",
    "SAMETransformerResamplingBlock",
    "StableAudio3DiTModel",
    "StableAudio3DurationEmbedder",
    "StableAudio3RotaryEmbedding",
    "T5GemmaEncoderModel",
]

with importing():
    defer_unused_parts()

    from diffusers.models.autoencoders.autoencoder_same import (
        AutoencoderSAME,
        RotaryEmbedding,
        SAMEAttention,
        SAMETransformerResamplingBlock,
    )
    from diffusers.models.transformers.transformer_stable_audio3 import (
        StableAudio3DiTModel,
        StableAudio3RotaryEmbedding,
    )
    from diffusers.pipelines.stable_audio_3.modeling_stable_audio_3 import StableAudio3DurationEmbedder
    from transformers import AutoTokenizer, PreTrainedTokenizerBase, T5GemmaEncoderModel
