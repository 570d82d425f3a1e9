"""A random `AudioLDM2Pipeline` of the real classes at a very small size.

Its shapes are those of the published models, made small: two text streams with masks, a mel of 64 bands in
frames of 10 ms, latents of a quarter of both, 16 kHz. Layers that start at zero are drawn at random, since a
network with them would not hear its prompt.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tiny_world
import torch
from diffusers import (
    AudioLDM2Pipeline,
    AudioLDM2ProjectionModel,
    AudioLDM2UNet2DConditionModel,
    AutoencoderKL,
    DDIMScheduler,
)
from torch import nn
from transformers import (
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    GPT2Config,
    GPT2LMHeadModel,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
    T5Config,
    T5EncoderModel,
)

from unheard.backbones.audioldm2.backbone import AudioLDM2Backbone

LATENT_CHANNELS, LATENT_BANDS = 4, 16
FULL_LENGTH = 24  # frames of latents, .96 s
CLAP_DIMENSION, T5_DIMENSION, GPT2_DIMENSION = 12, 20, 16
SCHEDULER = {
    "beta_start": 0.0015,
    "beta_end": 0.0195,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
    "clip_sample": False,
    "set_alpha_to_one": False,
}
"""The published models' own, from the script that converted them."""


def random_pipeline(seed: int = 0, **scheduler: Any) -> AudioLDM2Pipeline:
    """A random pipeline; `scheduler` changes its `DDIMScheduler`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        networks = _networks()
        for network in networks.values():
            draw_zeros(network.eval())
    pipeline = AudioLDM2Pipeline(
        **networks,
        tokenizer=tiny_world.roberta_tokenizer(),
        tokenizer_2=tiny_world.t5_tokenizer(),
        feature_extractor=ClapFeatureExtractor(
            feature_size=32,
            sampling_rate=16_000,
            hop_length=160,
            max_length_s=1,
            frequency_min=50,
            frequency_max=8_000,
            truncation="rand_trunc",
        ),
        scheduler=DDIMScheduler(**SCHEDULER | scheduler),
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def write_audioldm2(folder: Path) -> Path:
    """A folder with a random pipeline."""
    random_pipeline(seed=6).save_pretrained(folder)
    return folder


def draw_zeros(network: nn.Module) -> None:
    """Give every parameter that is zero throughout small random values, from the generator as it stands."""
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.normal_(std=0.2)


def _networks() -> dict[str, nn.Module]:
    tokens, letters = len(tiny_world.t5_tokenizer()), len(tiny_world.roberta_tokenizer())
    clap = ClapConfig(
        text_config={
            "vocab_size": letters,
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "max_position_embeddings": 70,
            "projection_dim": CLAP_DIMENSION,
        },
        audio_config={
            "window_size": 4,
            "num_mel_bins": 32,
            "spec_size": 64,
            "patch_size": 4,
            "patch_stride": [4, 4],
            "num_classes": 2,
            "patch_embeds_hidden_size": 8,
            "hidden_size": 16,
            "depths": [1, 1],
            "num_attention_heads": [1, 1],
            "num_hidden_layers": 2,
            "projection_dim": CLAP_DIMENSION,
        },
        projection_dim=CLAP_DIMENSION,
    )
    return {
        "text_encoder": ClapModel(clap),
        "text_encoder_2": T5EncoderModel(
            T5Config(vocab_size=tokens, d_model=T5_DIMENSION, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
        ),
        "projection_model": AudioLDM2ProjectionModel(CLAP_DIMENSION, T5_DIMENSION, GPT2_DIMENSION),
        "language_model": GPT2LMHeadModel(
            GPT2Config(
                vocab_size=8,
                bos_token_id=0,
                eos_token_id=0,
                n_positions=99,
                n_embd=GPT2_DIMENSION,
                n_layer=1,
                n_head=2,
                max_new_tokens=8,
                initializer_range=0.3,
            )
        ),
        "unet": AudioLDM2UNet2DConditionModel(
            sample_size=FULL_LENGTH,
            in_channels=LATENT_CHANNELS,
            out_channels=LATENT_CHANNELS,
            block_out_channels=(8, 16),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            layers_per_block=1,
            norm_num_groups=4,
            attention_head_dim=2,
            cross_attention_dim=[[None, GPT2_DIMENSION, T5_DIMENSION]] * 2,
        ),
        "vae": AutoencoderKL(
            in_channels=1,
            out_channels=1,
            block_out_channels=(4, 4, 8),
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            latent_channels=LATENT_CHANNELS,
            layers_per_block=1,
            norm_num_groups=4,
            scaling_factor=0.4,
        ),
        "vocoder": SpeechT5HifiGan(
            SpeechT5HifiGanConfig(
                model_in_dim=64,
                sampling_rate=16_000,
                upsample_initial_channel=32,
                upsample_rates=[5, 4, 2, 2, 2],
                upsample_kernel_sizes=[16, 16, 8, 4, 4],
                resblock_kernel_sizes=[3],
                resblock_dilation_sizes=[[1, 3]],
                normalize_before=False,
                initializer_range=0.2,
            )
        ),
    }


def backbone_of(pipeline: AudioLDM2Pipeline, **scheduler_config: Any) -> AudioLDM2Backbone:
    """A backbone around a pipeline's own parts."""
    parts = ("vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2")
    parts += ("projection_model", "language_model", "unet", "vocoder")
    return AudioLDM2Backbone(
        **{part: pipeline.components[part] for part in parts},
        scheduler_config={**pipeline.scheduler.config, **scheduler_config},
        name="random",
    )
