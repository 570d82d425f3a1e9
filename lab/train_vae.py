"""Trains the autoencoder: `python -m lab.train_vae --size cpu`. Resumes where it stopped.

AutoencoderOobleck (Evans et al. 2024, arXiv 2404.10301) at 16 kHz mono, hop 512, 24 latent channels. Loss: a
multi-resolution spectral distance (Yamamoto et al. 2020, arXiv 1910.11480) beside a normalised squared error
of the waveform, which keeps it from sitting at silence. The posterior's deviation is fixed. When training is
over the latents are scaled to unit deviation, a channel at a time, by folding the scale into the last layer
of the encoder and the first of the decoder.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderOobleck

from lab import fused_snake, likeness, sizes
from lab.checkpoints import Checkpoint, descend, learning_rate
from lab.corpus_files import Corpus, as_float
from lab.precision import mixed_precision

CROP = 8_192
POSTERIOR_DEVIATION = 0.05
RESOLUTIONS = (2048, 1024, 512, 256, 128)


def build(size: str) -> AutoencoderOobleck:
    latent_channels = sizes.LATENT_CHANNELS[size]
    decoder_channels, multiples = (4, [1, 1, 2]) if size == "smoke" else (32, [2, 4, 8])
    return AutoencoderOobleck(
        encoder_hidden_size=2 * latent_channels,  # mean and deviation of every channel
        decoder_input_channels=latent_channels,
        decoder_channels=decoder_channels,
        channel_multiples=multiples,
        downsampling_ratios=[8, 8, 8],
        audio_channels=1,
        sampling_rate=sizes.SAMPLE_RATE,
    )


def magnitudes(waveform: torch.Tensor, fft: int) -> torch.Tensor:
    window = torch.hann_window(fft, device=waveform.device)
    spectrum = torch.stft(waveform, fft, fft // 4, window=window, return_complex=True)
    return (spectrum.real.square() + spectrum.imag.square() + 1e-9).sqrt() / window.square().sum().sqrt()


def spectral_distance(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Spectral convergence and log-magnitude distance, mean over `RESOLUTIONS`; waveforms `[batch, time]`."""
    total = output.new_zeros(())
    for fft in RESOLUTIONS:
        ours, theirs = magnitudes(output, fft), magnitudes(target, fft)
        convergence = (ours - theirs).flatten(1).norm(dim=1) / theirs.flatten(1).norm(dim=1).clamp(min=0.1)
        logarithms = (torch.log(ours + 0.01) - torch.log(theirs + 0.01)).abs().mean(dim=(1, 2))
        total = total + (convergence + logarithms).mean()
    return total / len(RESOLUTIONS)


def crops(corpus: Corpus, positions: list[int], batch: int, rng: np.random.Generator) -> torch.Tensor:
    """`[batch, 1, CROP]` from where the sounds sound."""
    chosen = rng.choice(positions, batch)
    ends = [round(corpus.rows[p]["duration"] * sizes.SAMPLE_RATE) for p in chosen]
    starts = [int(rng.integers(0, end - CROP + 1)) for end in ends]
    pieces = [corpus.sounds[p, s : s + CROP] for p, s in zip(chosen, starts, strict=True)]
    return as_float(np.stack(pieces))[:, None]


def si_sdr(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Scale-invariant signal-to-distortion ratio in decibels, `[batch]`.

    Le Roux et al. 2019, arXiv 1811.02508.
    """
    scale = (output * target).sum(-1, keepdim=True) / target.square().sum(-1, keepdim=True).clamp(min=1e-9)
    projection = scale * target
    distortion = (output - projection).square().sum(-1).clamp(min=1e-9)
    return 10 * torch.log10(projection.square().sum(-1) / distortion)


@torch.no_grad()
def reconstruct(vae: AutoencoderOobleck, waveforms: torch.Tensor, batch: int = 8) -> torch.Tensor:
    """`[batch, time]` there and back through the mean of the posterior."""
    latents = [vae.encode(piece[:, None]).latent_dist.mean for piece in waveforms.split(batch)]
    return torch.cat([vae.decode(piece).sample[:, 0] for piece in latents])


def measure(vae: AutoencoderOobleck, corpus: Corpus, count: int = 24) -> dict[str, float]:
    """On held-out sounds: SI-SDR, and log-mel correlation of a reconstruction with its own original."""
    device = next(vae.parameters()).device
    originals = corpus.waveforms(corpus.held_out[:count]).to(device)
    decoded = reconstruct(vae, originals)[:, : sizes.LENGTH]
    own = likeness.correlations(likeness.log_mel(decoded), likeness.log_mel(originals)).diagonal()
    return {
        "si_sdr": si_sdr(decoded, originals).median().item(),
        "likeness": float(np.median(own)),
        "likeness_low": float(np.quantile(own, 0.1)),
    }


@torch.no_grad()
def normalise(vae: AutoencoderOobleck, corpus: Corpus, count: int = 400) -> None:
    """Folds mean and deviation of every latent channel into the layers around it: mean 0, deviation 1.

    Measured on about `count` training sounds, without the silence after them. Zero padding at the decoder's
    borders then stands for the mean instead of for zero: what lies near an edge shifts slightly.
    """
    device = next(vae.parameters()).device
    sounding = []
    for position in corpus.training[:: max(1, len(corpus.training) // count)]:
        frames = int(corpus.rows[position]["duration"] * sizes.SAMPLE_RATE / sizes.HOP)
        latents = vae.encode(corpus.waveforms([position])[:, None].to(device)).latent_dist.mean
        sounding.append(latents[0, :, :frames])
    values = torch.cat(sounding, dim=1)
    mean, deviation = values.mean(dim=1), values.std(dim=1)
    out, channels = vae.encoder.conv2, vae.config.decoder_input_channels
    out.weight_g[:channels] /= deviation[:, None, None]  # weight norm: the gain scales a whole output channel
    out.bias[:channels] = (out.bias[:channels] - mean) / deviation
    into = vae.decoder.conv1
    weight = into.weight_g * into.weight_v / into.weight_v.flatten(1).norm(dim=1)[:, None, None]
    into.bias += (weight * mean[None, :, None]).sum(dim=(1, 2))
    weight = weight * deviation[None, :, None]
    into.weight_v.copy_(weight)
    into.weight_g.copy_(weight.flatten(1).norm(dim=1)[:, None, None])


def train(size: str, corpus: Corpus, folder: Path, device: str, every: int = 300) -> AutoencoderOobleck:
    plan = sizes.VAE[size]
    torch.manual_seed(0)
    if size != "smoke":  # where compiling would take longer than it saves
        fused_snake.install()
    vae = build(size).to(device)
    optimizer = torch.optim.AdamW(
        vae.parameters(), lr=plan.learning_rate, betas=(0.8, 0.99), weight_decay=1e-3
    )
    # Of the weights, exponentially. Weight norm forbids a deepcopy.
    average = build(size).to(device).requires_grad_(False)
    average.load_state_dict(vae.state_dict())
    checkpoint = Checkpoint(folder)
    checkpoint.resume(vae=vae, optimizer=optimizer, average=average)
    started = time.monotonic()
    for step in range(checkpoint.step, plan.steps):
        torch.manual_seed(step)  # so that a run that was stopped goes on as it would have
        optimizer.param_groups[0]["lr"] = learning_rate(step, plan.steps, plan.learning_rate)
        target = crops(corpus, corpus.training, plan.batch, np.random.default_rng(step)).to(device)
        with mixed_precision(device):
            mean = vae.encode(target).latent_dist.mean
            output = vae.decode(mean + POSTERIOR_DEVIATION * torch.randn_like(mean)).sample
        output, target = output.float()[:, 0, :CROP], target[:, 0]
        spectral = spectral_distance(output, target)
        waveform = ((output - target).square().sum(-1) / target.square().sum(-1).clamp(min=1.0)).mean()
        loss = spectral + 10.0 * waveform + 0.01 * mean.float().square().mean()
        descend(loss, optimizer, largest=5.0)
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(vae.parameters()), 1.0 / min(step + 1, 200))
        done = step + 1
        if done % every == 0 or done == plan.steps:
            losses = {"spectral": spectral, "waveform": waveform, "scale": mean.float().std()}
            entry = {"step": done} | {name: loss.item() for name, loss in losses.items()}
            entry |= measure(average, corpus) | {"seconds": round(time.monotonic() - started)}
            checkpoint.record(entry, vae=vae, optimizer=optimizer, average=average)
    vae.load_state_dict(average.state_dict())
    before = measure(vae, corpus)
    normalise(vae, corpus)
    print("before and after unit scaling:", before, measure(vae, corpus))
    vae.save_pretrained(folder / "model")
    return vae


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=sizes.NAMES, default="cpu", help="how long to train (default: cpu)")
    parser.add_argument("--work", type=Path, default="build/lab", help="folder of corpus and checkpoints")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    arguments = parser.parse_args()
    train(arguments.size, Corpus(arguments.work / "corpus"), arguments.work / "vae", arguments.device)


if __name__ == "__main__":
    main()
