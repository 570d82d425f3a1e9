"""What a LongCat model is made of in diffusers and transformers, imported without their other models."""

from __future__ import annotations

from unheard.common.imports import defer, importing

__all__ = [
    "AutoTokenizer",
    "FlowMatchEulerDiscreteScheduler",
    "LongCatAudioDiTTransformer",
    "LongCatAudioDiTVae",
    "PreTrainedTokenizerBase",
    "UMT5EncoderModel",
]

with importing():
    for _package in ("autoencoders", "transformers", "unets"):
        defer(f"diffusers.models.{_package}")

    from diffusers.models.autoencoders.autoencoder_longcat_audio_dit import LongCatAudioDiTVae
    from diffusers.models.transformers.transformer_longcat_audio_dit import LongCatAudioDiTTransformer
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
    from transformers import AutoTokenizer, PreTrainedTokenizerBase, UMT5EncoderModel
