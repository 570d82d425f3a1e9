"""AudioLDM 2 at its published size, on the meta device: shapes without numbers, parameters counted."""

from __future__ import annotations

import pytest
import torch
from audioldm2_pipeline import SCHEDULER
from diffusers import AudioLDM2ProjectionModel, AudioLDM2UNet2DConditionModel, AutoencoderKL
from tiny_world import roberta_tokenizer, t5_tokenizer
from torch import nn
from transformers import (
    ClapConfig,
    ClapModel,
    GPT2Config,
    GPT2Model,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
    T5Config,
    T5EncoderModel,
)

from unheard.backbones.audioldm2.backbone import AudioLDM2Backbone
from unheard.backbones.audioldm2.conditioning import AudioLDM2Conditioning


def unet(**config: object) -> AudioLDM2UNet2DConditionModel:
    """That of cvssp/audioldm2, by its `unet/config.json`."""
    attended = ["CrossAttnDownBlock2D"] * 3, ["CrossAttnUpBlock2D"] * 3
    settings = {
        "sample_size": 256,
        "in_channels": 8,
        "out_channels": 8,
        "block_out_channels": [128, 256, 384, 640],
        "down_block_types": ["DownBlock2D", *attended[0]],
        "up_block_types": [*attended[1], "UpBlock2D"],
        "cross_attention_dim": [[None, 768, 1024]] * 4,
    }
    return AudioLDM2UNet2DConditionModel(**settings | config)


@pytest.fixture(scope="module")
def backbone() -> AudioLDM2Backbone:
    """By the files of cvssp/audioldm2; its text networks and vocoder by diffusers' conversion script.

    The text networks are those of laion/clap-htsat-unfused (transformers' defaults), flan-t5-large and gpt2.
    """
    with torch.device("meta"):
        networks = {
            "vae": AutoencoderKL(
                in_channels=1,
                out_channels=1,
                block_out_channels=[128, 256, 512],
                down_block_types=["DownEncoderBlock2D"] * 3,
                up_block_types=["UpDecoderBlock2D"] * 3,
                latent_channels=8,
                layers_per_block=2,
                scaling_factor=0.4110932946205139,
            ),
            "text_encoder": ClapModel(
                ClapConfig(
                    audio_config={
                        "hidden_size": 1024,
                        "patch_embeds_hidden_size": 128,
                        "depths": [2, 2, 12, 2],
                    }
                )
            ),
            "text_encoder_2": T5EncoderModel(
                T5Config(
                    vocab_size=32_128,
                    d_model=1024,
                    d_kv=64,
                    d_ff=2816,
                    num_layers=24,
                    num_heads=16,
                    feed_forward_proj="gated-gelu",
                )
            ),
            "projection_model": AudioLDM2ProjectionModel(512, 1024, 768),
            "language_model": GPT2Model(GPT2Config()),
            "unet": unet(),
            "vocoder": SpeechT5HifiGan(
                SpeechT5HifiGanConfig(
                    model_in_dim=64,
                    sampling_rate=16_000,
                    upsample_initial_channel=1024,
                    upsample_rates=[5, 4, 2, 2, 2],
                    upsample_kernel_sizes=[16, 16, 8, 4, 4],
                    normalize_before=False,
                )
            ),
        }
    return AudioLDM2Backbone(
        **networks, tokenizer=roberta_tokenizer(), tokenizer_2=t5_tokenizer(), scheduler_config=SCHEDULER
    )


def millions(network: nn.Module) -> float:
    return round(sum(parameter.numel() for parameter in network.parameters()) / 1e6, 1)


def test_the_published_size_has_the_published_shapes(backbone: AudioLDM2Backbone) -> None:
    assert (backbone.latent_shape, backbone.hop_length) == ((8, 256, 16), 640)
    assert backbone.noise_shape(10.24) == (8, 256, 16)
    assert backbone.noise_shape(10.0) == (8, 250, 16)
    with torch.device("meta"):
        # transformers looks into masks, so what T5 and CLAP give is taken from their configurations.
        encoder = backbone.prompt_encoder
        clap = torch.empty(1, 1, encoder.text_encoder.config.projection_dim)
        text = torch.empty(1, 12, encoder.text_encoder_2.config.d_model)
        read = encoder.projection_model(clap, text, torch.ones(1, 1), torch.ones(1, 12)).hidden_states
        generated = encoder.language_model(inputs_embeds=read).last_hidden_state[:, -8:]
        told = AudioLDM2Conditioning(generated, text, torch.ones(1, 12))
        x = torch.empty(1, *backbone.noise_shape(10.0))
    latents = backbone.denoise(x, torch.ones(1), told)
    assert latents.shape == (1, 8, 250, 16)
    assert backbone.decode(latents).shape == (1, 1, 160_000)
    mel = torch.empty(1, 1, 1000, 64, device="meta")
    assert backbone.vae.encode(mel).latent_dist.mean.shape == latents.shape


def test_the_published_parameters_are_counted(backbone: AudioLDM2Backbone) -> None:
    """The figures of docs/models/audioldm2.md."""
    encoder = backbone.prompt_encoder
    counted = {
        "unet": millions(backbone.unet),
        "vae": millions(backbone.vae),
        "vocoder": millions(backbone.vocoder),
        "CLAP": millions(encoder.text_encoder),
        "T5": millions(encoder.text_encoder_2),
        "GPT-2": millions(encoder.language_model),
        "projection": millions(encoder.projection_model),
    }
    assert counted == {
        "unet": 346.9,
        "vae": 55.4,
        "vocoder": 55.3,
        "CLAP": 193.9,
        "T5": 341.2,
        "GPT-2": 124.4,
        "projection": 1.2,
    }
    with torch.device("meta"):
        # Not read from its file: of all ways to attend, the one whose size is that of the published weights.
        large = unet(transformer_layers_per_block=2, cross_attention_dim=[[None, 768, None, 1024]] * 4)
    assert millions(large) == 718.0
