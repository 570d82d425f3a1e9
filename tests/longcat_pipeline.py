"""A LongCat-AudioDiT pipeline of the real classes at a very small size, with random weights."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import (
    FlowMatchEulerDiscreteScheduler,
    LongCatAudioDiTPipeline,
    LongCatAudioDiTTransformer,
    LongCatAudioDiTVae,
)
from drawn import draw_zeros
from tiny_world import t5_tokenizer
from transformers import UMT5Config, UMT5EncoderModel

from unheard.backbones.longcat.backbone import LongCatBackbone

RATE, HOP, FEATURES, TEXT = 16_000, 512, 8, 16


def longcat_pipeline(seed: int = 0, *, shift: float = 1.0) -> LongCatAudioDiTPipeline:
    """A random pipeline whose every layer has an effect."""
    tokenizer = t5_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vae = LongCatAudioDiTVae(
            channels=4,
            c_mults=[1, 2, 4],
            strides=[8, 8, 8],
            latent_dim=FEATURES,
            encoder_latent_dim=2 * FEATURES,
            downsampling_ratio=HOP,
            sample_rate=RATE,
        )
        text_encoder = UMT5EncoderModel(
            UMT5Config(vocab_size=len(tokenizer), d_model=TEXT, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
        )
        transformer = LongCatAudioDiTTransformer(
            dit_dim=16, dit_depth=2, dit_heads=2, dit_text_dim=TEXT, latent_dim=FEATURES, ff_mult=2.0
        )
        for module in (vae, text_encoder, transformer):
            draw_zeros(module)
    pipeline = LongCatAudioDiTPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=shift, invert_sigmas=True),
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def longcat_backbone(pipeline: LongCatAudioDiTPipeline) -> LongCatBackbone:
    """The backbone around the parts of a pipeline that was not loaded from files."""
    return LongCatBackbone(
        vae=pipeline.vae,
        text_encoder=pipeline.text_encoder,
        tokenizer=pipeline.tokenizer,
        transformer=pipeline.transformer,
        scheduler_config=pipeline.scheduler.config,
        name="random",
    )


def write_longcat(folder: Path, seed: int = 0) -> Path:
    longcat_pipeline(seed).save_pretrained(folder)
    return folder
