"""A random Stable Audio 3 of the real classes at a very small size, and a backbone around its parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderSAME,
    FlowMatchEulerDiscreteScheduler,
    StableAudio3DiTModel,
    StableAudio3Pipeline,
)
from diffusers.pipelines.stable_audio_3 import StableAudio3DurationEmbedder
from drawn import draw_zeros
from tiny_world import CHARACTERS
from transformers import GemmaTokenizer, T5GemmaConfig, T5GemmaEncoderModel
from transformers.models.t5gemma.configuration_t5gemma import T5GemmaModuleConfig

from unheard.backbones.stable_audio_3.backbone import StableAudio3Backbone

SAMPLE_RATE = 16_000
HOP_LENGTH = 256  # 64 samples a patch, 4 patches a frame
CHANNELS = 8
MAX_TOKENS = 48
DIMENSION = 16
MAX_SECONDS = 2.0


def stable_audio_3_pipeline(
    seed: int = 0, *, distilled: bool = False, kind: type[Any] = StableAudio3Pipeline
) -> Any:
    """A pipeline of one of the three kinds; nothing in it is zero, so that every input has its effect."""
    tokenizer = gemma_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        parts = {
            "vae": AutoencoderSAME(
                audio_channels=2,
                patch_size=64,
                encoder_channels=8,
                encoder_c_mults=(2,),
                encoder_strides=(4,),
                encoder_transformer_depths=(2,),
                latent_dim=CHANNELS,
                dim_heads=8,
                decoder_sinusoidal_blocks=(2,),
                sampling_rate=SAMPLE_RATE,
            ),
            "text_encoder": T5GemmaEncoderModel(text_configuration(len(tokenizer))),
            "duration_embedder": StableAudio3DurationEmbedder(
                output_dim=DIMENSION, fourier_dim=16, max_val=MAX_SECONDS
            ),
            "transformer": StableAudio3DiTModel(
                io_channels=CHANNELS,
                embed_dim=32,
                depth=2,
                num_heads=4,
                cond_token_dim=DIMENSION,
                global_cond_dim=DIMENSION,
                local_add_cond_dim=1 + CHANNELS,
                timestep_features_dim=16,
                ff_mult=2,
                num_memory_tokens=3,
            ),
        }
        for part in parts.values():
            draw_zeros(part.eval())
        parts["vae"].bottleneck.running_std.fill_(1.7)
    scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, stochastic_sampling=distilled)
    pipeline = kind(tokenizer=tokenizer, scheduler=scheduler, **parts)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def gemma_tokenizer() -> GemmaTokenizer:
    """A token a character; pads on the left, and marks neither begin nor end, as the published one."""
    pieces = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁", *CHARACTERS]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    return GemmaTokenizer(vocab=vocabulary, merges=[], model_max_length=MAX_TOKENS)


def stable_audio_3_backbone(pipeline: Any, **scheduler_config: Any) -> StableAudio3Backbone:
    return StableAudio3Backbone(
        vae=pipeline.vae,
        text_encoder=pipeline.text_encoder,
        tokenizer=pipeline.tokenizer,
        duration_embedder=pipeline.duration_embedder,
        transformer=pipeline.transformer,
        scheduler_config={**pipeline.scheduler.config, **scheduler_config},
        name="random",
    )


def write_stable_audio_3(folder: Path, seed: int = 0) -> Path:
    stable_audio_3_pipeline(seed).save_pretrained(folder)
    return folder


def text_configuration(vocabulary: int) -> T5GemmaConfig:
    module = T5GemmaModuleConfig(
        vocab_size=vocabulary,
        hidden_size=DIMENSION,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        query_pre_attn_scalar=8,
        sliding_window=8,
    ).to_dict()
    return T5GemmaConfig(encoder=module, decoder=dict(module), is_encoder_decoder=False)
