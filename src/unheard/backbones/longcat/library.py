"""What a LongCat model is made of in diffusers and transformers, imported without their other models."""

from __future__ import annotations

from unheard.common.imports import importing
from unheard.common.model_libraries import defer_unused_parts

__all__ = [
    "AutoTokenizer",
    "FlowMatchEulerDiscreteScheduler",
    "LongCatAudioDiTTransformer",
    "LongCatAudioDiTVae",
    "PreTrainedTokenizerBase",
    "UMT5EncoderModel",
]

with importing():
    defer_unused_parts()

    from diffusers.models.autoencoders.autoencoder_longcat_audio_dit import LongCatAudioDiTVae
    from diffusers.models.transformers.transformer_longcat_audio_dit import LongCatAudioDiTTransformer
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
    from transformers import AutoTokenizer, PreTrainedTokenizerBase, UMT5EncoderModel
