"""What a Stable Audio 3 model is made of in diffusers and transformers, without their other models."""

from __future__ import annotations

from unheard.common.imports import defer, importing

__all__ = [
    "AutoTokenizer",
    "AutoencoderSAME",
    "PreTrainedTokenizerBase",
    "StableAudio3DiTModel",
    "StableAudio3DurationEmbedder",
    "T5GemmaEncoderModel",
]

with importing():
    for _package in ("autoencoders", "transformers", "unets"):
        defer(f"diffusers.models.{_package}")

    from diffusers.models.autoencoders.autoencoder_same import AutoencoderSAME
    from diffusers.models.transformers.transformer_stable_audio3 import StableAudio3DiTModel
    from diffusers.pipelines.stable_audio_3.modeling_stable_audio_3 import StableAudio3DurationEmbedder
    from transformers import AutoTokenizer, PreTrainedTokenizerBase, T5GemmaEncoderModel
