"""Stable Audio Open 1.0 and LAION's CLAP at their published sizes with random weights: for times and memory.

The numbers are those of the published `model_config.json` as diffusers' `scripts/convert_stable_audio.py`
carries them over: a transformer of 1.06 billion parameters, an autoencoder of 156 million, T5-base for
text. Those of CLAP are transformers' defaults, which are laion/clap-htsat-unfused's: 153 million parameters,
10 s at 48 kHz.
"""

from __future__ import annotations

import torch
from diffusers import AutoencoderOobleck, StableAudioDiTModel
from diffusers.pipelines.stable_audio import StableAudioProjectionModel
from transformers import (
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from unheard.backbones.stable_audio.backbone import StableAudioBackbone
from unheard.diffusion.parameterisation import VPrediction

MAX_TOKENS = 128


def full_size_backbone(
    device: str | torch.device = "meta", dtype: torch.dtype = torch.float32, seed: int = 0
) -> StableAudioBackbone:
    """The published architecture with random weights; on `meta` it has shapes and takes no memory."""
    torch.manual_seed(seed)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            vae = AutoencoderOobleck(
                encoder_hidden_size=128,
                downsampling_ratios=[2, 4, 4, 8, 8],
                channel_multiples=[1, 2, 4, 8, 16],
                decoder_channels=128,
                decoder_input_channels=64,
                audio_channels=2,
                sampling_rate=44_100,
            )
            text_encoder = T5EncoderModel(
                T5Config(vocab_size=32_128, d_model=768, d_kv=64, d_ff=3072, num_layers=12, num_heads=12)
            )
            projection_model = StableAudioProjectionModel(
                text_encoder_dim=768, conditioning_dim=768, min_value=0, max_value=512
            )
            transformer = StableAudioDiTModel(
                sample_size=1024,
                in_channels=64,
                out_channels=64,
                num_layers=24,
                attention_head_dim=64,
                num_attention_heads=24,
                num_key_value_attention_heads=12,
                cross_attention_dim=768,
                time_proj_dim=256,
                global_states_input_dim=1536,
                cross_attention_input_dim=768,
            )
    finally:
        torch.set_default_dtype(before)
    return StableAudioBackbone(
        vae=vae,
        text_encoder=text_encoder,
        # Knows no words: with random weights any token is as good as another.
        tokenizer=T5Tokenizer(extra_ids=0, model_max_length=MAX_TOKENS),
        projection_model=projection_model,
        transformer=transformer,
        parameterisation=VPrediction(),
        name="stable-audio-open-1.0 (random weights)",
    )


def full_size_clap(seed: int = 0) -> tuple[ClapModel, ClapFeatureExtractor]:
    """The architecture of laion/clap-htsat-unfused with random weights, and its feature extractor."""
    torch.manual_seed(seed)
    return ClapModel(ClapConfig()).eval(), ClapFeatureExtractor(truncation="rand_trunc", padding="repeatpad")
