"""What an AudioLDM 2 model is made of in diffusers and transformers, imported without their other models."""

from __future__ import annotations

from unheard.common.imports import defer, importing

__all__ = [
    "AudioLDM2ProjectionModel",
    "AudioLDM2UNet2DConditionModel",
    "AutoTokenizer",
    "AutoencoderKL",
    "ClapModel",
    "DDIMScheduler",
    "GPT2Model",
    "PreTrainedTokenizerBase",
    "SpeechT5HifiGan",
    "T5EncoderModel",
    "mel_filter_bank",
]

with importing():
    for _package in ("autoencoders", "transformers", "unets"):
        defer(f"diffusers.models.{_package}")

    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.pipelines.audioldm2.modeling_audioldm2 import (
        AudioLDM2ProjectionModel,
        AudioLDM2UNet2DConditionModel,
    )
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler
    from transformers import (
        AutoTokenizer,
        ClapModel,
        GPT2Model,
        PreTrainedTokenizerBase,
        SpeechT5HifiGan,
        T5EncoderModel,
    )
    from transformers.audio_utils import mel_filter_bank
