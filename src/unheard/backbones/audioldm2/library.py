"""What an AudioLDM 2 model is made of in diffusers and transformers, imported without their other models."""

from __future__ import annotations

from unheard.common.imports import importing
from unheard.common.model_libraries import defer_unused_parts

__all__ = [
    "AudioLDM2ProjectionModel",
    "AudioLDM2UNet2DConditionModel",
    "AutoTokenizer",
    "AutoencoderKL",
    "ClapModel",
    "GPT2Model",
    "PreTrainedTokenizerBase",
    "SpeechT5HifiGan",
    "T5EncoderModel",
    "mel_filter_bank",
]

with importing():
    defer_unused_parts()

    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.pipelines.audioldm2.modeling_audioldm2 import (
        AudioLDM2ProjectionModel,
        AudioLDM2UNet2DConditionModel,
    )
    from transformers import (
        AutoTokenizer,
        ClapModel,
        GPT2Model,
        PreTrainedTokenizerBase,
        SpeechT5HifiGan,
        T5EncoderModel,
    )
    from transformers.audio_utils import mel_filter_bank
