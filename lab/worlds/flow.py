"""The parts of the world that is a rectified flow: another autoencoder, and a transformer for its latents.

The autoencoder has 64 channels and hop 1024, the transformer heads of 64 numbers, as stable-audio-tools' own
configuration can say. It learns from the sounds as the bundled autoencoder gives them back, so that the
bundled latents are all that training needs.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from diffusers import AutoencoderOobleck, StableAudioDiTModel
from diffusers.models.embeddings import get_1d_rotary_pos_embed

from lab import sizes
from lab.checkpoints import descend, learning_rate
from lab.precision import mixed_precision
from lab.train_diffusion import Generator
from lab.train_vae import POSTERIOR_DEVIATION, fold, loss_of

CHANNELS, HOP, HEAD = 64, 1_024, 64
FRAMES = sizes.LENGTH // HOP
CROP = 16_384
PLAN = sizes.Training(3_000, 16, 6e-4)  # of the autoencoder


def autoencoder() -> AutoencoderOobleck:
    """With random weights."""
    return AutoencoderOobleck(
        encoder_hidden_size=2 * CHANNELS,
        decoder_input_channels=CHANNELS,
        decoder_channels=64,
        channel_multiples=[1, 2, 4],
        downsampling_ratios=[8, 8, 16],
        audio_channels=1,
        sampling_rate=sizes.SAMPLE_RATE,
    )


@torch.no_grad()
def decoded(vae: AutoencoderOobleck, latents: torch.Tensor, device: str, batch: int = 16) -> torch.Tensor:
    """Sounds `[sounds, time]` in half precision of latents `[sounds, channels, frames]`, on the CPU."""
    pieces = []
    for piece in latents.split(batch):
        with mixed_precision(device):
            pieces.append(vae.decode(piece.float().to(device)).sample[:, 0, : sizes.LENGTH].half().cpu())
    return torch.cat(pieces)


@torch.no_grad()
def encoded(vae: AutoencoderOobleck, sounds: torch.Tensor, device: str, batch: int = 16) -> torch.Tensor:
    """Means of the posterior `[sounds, channels, frames]`, on the CPU."""
    pieces = []
    for piece in sounds.split(batch):
        with mixed_precision(device):
            mean = vae.encode(piece.float().to(device)[:, None]).latent_dist.mean
        pieces.append(mean.float().cpu())
    return torch.cat(pieces)


def train_autoencoder(
    make: Callable[[], AutoencoderOobleck],
    plan: sizes.Training,
    sounds: torch.Tensor,
    seconds: list[float],
    device: str,
) -> AutoencoderOobleck:
    """Trained on crops of sounds `[sounds, time]`, of which so many `seconds` sound.

    The loss is that of `lab/train_vae.py`. At the end every channel has mean 0 and deviation 1.
    """
    torch.manual_seed(0)
    vae, average = make().to(device), make().to(device).requires_grad_(False)
    average.load_state_dict(vae.state_dict())
    optimizer = torch.optim.AdamW(
        vae.parameters(), lr=plan.learning_rate, betas=(0.8, 0.99), weight_decay=1e-3
    )
    sounds = sounds.to(device)
    last = torch.tensor([max(1, round(s * sizes.SAMPLE_RATE) - CROP) for s in seconds], device=device)
    started = time.monotonic()
    for step in range(plan.steps):
        torch.manual_seed(step)
        optimizer.param_groups[0]["lr"] = learning_rate(step, plan.steps, plan.learning_rate)
        chosen = torch.from_numpy(np.random.default_rng(step).integers(0, len(sounds), plan.batch)).to(device)
        starts = (torch.rand(plan.batch, device=device) * last[chosen]).long()
        places = starts[:, None] + torch.arange(CROP, device=device)
        target = sounds[chosen[:, None], places].float()[:, None]
        with mixed_precision(device):
            mean = vae.encode(target).latent_dist.mean
            output = vae.decode(mean + POSTERIOR_DEVIATION * torch.randn_like(mean)).sample
        loss, losses = loss_of(output.float()[:, 0, :CROP], target[:, 0], mean)
        descend(loss, optimizer, largest=5.0)
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(vae.parameters()), 1.0 / min(step + 1, 200))
        if step % 200 == 0 or step + 1 == plan.steps:
            took = round(time.monotonic() - started, 1)
            told = {name: round(each.item(), 3) for name, each in losses.items()}
            print({"step": step + 1, **told, "seconds": took}, flush=True)
    vae.load_state_dict(average.state_dict())
    latents = encoded(vae, sounds[:: max(1, len(sounds) // 400)], device)
    fold(vae, latents.mean(dim=(0, 2)).to(device), latents.std(dim=(0, 2)).to(device))
    return vae


def with_transformer(generator: Generator) -> Generator:
    """A generator whose transformer is one for these latents; layers of the same shape keep their weights."""
    known = generator.transformer
    text_width = known.config.cross_attention_input_dim
    width = known.config.attention_head_dim * known.config.num_attention_heads
    heads = max(1, width // HEAD)
    transformer = StableAudioDiTModel(
        sample_size=FRAMES,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        num_layers=known.config.num_layers,
        attention_head_dim=HEAD,
        num_attention_heads=heads,
        num_key_value_attention_heads=heads,
        cross_attention_dim=heads * HEAD,
        time_proj_dim=256,
        global_states_input_dim=2 * text_width,
        cross_attention_input_dim=text_width,
    )
    own = transformer.state_dict()
    same = {name: x for name, x in known.state_dict().items() if name in own and own[name].shape == x.shape}
    transformer.load_state_dict(own | same)
    generator.transformer = transformer
    generator.rotary = tuple(
        get_1d_rotary_pos_embed(HEAD // 2, FRAMES + 1, use_real=True, repeat_interleave_real=False)
    )
    return generator
