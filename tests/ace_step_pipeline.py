"""An ACE-Step 1.5 pipeline of the real classes at a very small size, with random weights."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import torch
from diffusers import (
    AceStepPipeline,
    AceStepTransformer1DModel,
    AutoencoderOobleck,
    FlowMatchEulerDiscreteScheduler,
)
from diffusers.pipelines.ace_step import AceStepConditionEncoder
from drawn import draw_zeros
from tiny_world import CAPTIONS
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import Qwen2Tokenizer, Qwen3Config, Qwen3Model

from unheard.backbones.ace_step.backbone import AceStepBackbone
from unheard.backbones.ace_step.template import Song

RATE, HOP, FEATURES, TEXT, HIDDEN = 16_000, 640, 8, 16, 16


@cache
def qwen_tokenizer() -> Qwen2Tokenizer:
    """Of bytes, with the words of the template and of `CAPTIONS` in few pieces, which it learns first."""
    texts = [Song("la la").description(caption, 10.0) for caption in CAPTIONS] + [Song("la la").words()]
    learned = Tokenizer(BPE())
    learned.pre_tokenizer = ByteLevel(add_prefix_space=False)
    learned.train_from_iterator(
        texts, BpeTrainer(vocab_size=600, initial_alphabet=ByteLevel.alphabet(), show_progress=False)
    )
    model = json.loads(learned.to_str())["model"]
    vocabulary = {**model["vocab"], "<|endoftext|>": len(model["vocab"])}
    return Qwen2Tokenizer(vocab=vocabulary, merges=[tuple(pair) for pair in model["merges"]])


def ace_step_pipeline(seed: int = 0, *, turbo: bool = False) -> AceStepPipeline:
    """A random pipeline whose every layer has an effect."""
    tokenizer = qwen_tokenizer()
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vae = AutoencoderOobleck(
            encoder_hidden_size=2 * FEATURES,
            downsampling_ratios=[8, 8, 10],
            channel_multiples=[1, 2, 2],
            decoder_channels=8,
            decoder_input_channels=FEATURES,
            audio_channels=2,
            sampling_rate=RATE,
        )
        text_encoder = Qwen3Model(
            Qwen3Config(
                vocab_size=len(tokenizer),
                hidden_size=TEXT,
                intermediate_size=32,
                num_hidden_layers=1,
                **heads,
            )
        )
        condition_encoder = AceStepConditionEncoder(
            hidden_size=HIDDEN,
            intermediate_size=32,
            text_hidden_dim=TEXT,
            timbre_hidden_dim=FEATURES,
            num_lyric_encoder_hidden_layers=2,
            num_timbre_encoder_hidden_layers=1,
            sliding_window=4,
            **heads,
        )
        transformer = AceStepTransformer1DModel(
            hidden_size=HIDDEN,
            intermediate_size=32,
            num_hidden_layers=2,
            in_channels=3 * FEATURES,
            audio_acoustic_hidden_dim=FEATURES,
            sliding_window=4,
            is_turbo=turbo,
            **heads,
        )
        for module in (vae, text_encoder, condition_encoder, transformer):
            draw_zeros(module)
        condition_encoder.silence_latent.normal_()
    pipeline = AceStepPipeline(
        vae=vae,
        text_encoder=text_encoder.eval(),
        tokenizer=tokenizer,
        transformer=transformer,
        condition_encoder=condition_encoder,
        scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0),
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def ace_step_backbone(pipeline: AceStepPipeline) -> AceStepBackbone:
    """The backbone around the parts of a pipeline that was not loaded from files."""
    return AceStepBackbone(
        vae=pipeline.vae,
        text_encoder=pipeline.text_encoder,
        tokenizer=pipeline.tokenizer,
        condition_encoder=pipeline.condition_encoder,
        transformer=pipeline.transformer,
        scheduler_config=pipeline.scheduler.config,
        name="random",
    )


def write_ace_step(folder: Path, seed: int = 0, *, turbo: bool = False) -> Path:
    ace_step_pipeline(seed, turbo=turbo).save_pretrained(folder)
    return folder
