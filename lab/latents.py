"""The corpus through the trained autoencoder: `python -m lab.latents encode`, then `... decode`.

`latents.safetensors` is what the diffusion model learns from; `decoded.npy` is how sounds come back, which
guide and judge must be trained on, or they take a reconstruction for another sound.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderOobleck
from safetensors.torch import load_file, save_file

from lab import fused_snake
from lab.corpus_files import Corpus
from lab.precision import mixed_precision

BATCH = 1  # activations that fit a processor's cache: larger batches are slower


def encode_corpus(corpus: Corpus, folder: Path, device: str) -> torch.Tensor:
    """Means of the posterior, `[sounds, channels, frames]`; made once, saved in `folder`."""
    trained = partial(AutoencoderOobleck.from_pretrained, folder / "model")
    return encode(corpus, trained, folder / "latents.safetensors", device)


@torch.no_grad()
def encode(
    corpus: Corpus,
    autoencoder: Callable[[], AutoencoderOobleck],
    file: Path,
    device: str,
    before: Path | None = None,
) -> torch.Tensor:
    """Means of the posterior of what `autoencoder` makes, `[sounds, channels, frames]`; kept in `file`.

    Those in the file `before` are of the corpus' first sounds, which are not encoded again.
    """
    if not file.is_file():
        vae = autoencoder().to(device).eval()
        pieces = [] if before is None else [load_file(before)["latents"]]
        for start in range(sum(map(len, pieces)), len(corpus.rows), BATCH):
            positions = list(range(start, min(start + BATCH, len(corpus.rows))))
            with mixed_precision(device):
                latents = vae.encode(corpus.waveforms(positions)[:, None].to(device)).latent_dist.mean
            pieces.append(latents.float().cpu())
        save_file({"latents": torch.cat(pieces)}, file)
    return load_file(file)["latents"]


@torch.no_grad()
def decode_corpus(corpus: Corpus, folder: Path, device: str) -> np.ndarray:
    """Reconstructions of all sounds, int16 like the corpus, each divided by its peak; made once."""
    file = folder / "decoded.npy"
    if not file.is_file():
        vae = AutoencoderOobleck.from_pretrained(folder / "model").to(device).eval()
        latents = encode_corpus(corpus, folder, device)
        decoded = np.lib.format.open_memmap(folder / "decoded.new.npy", "w+", np.int16, corpus.sounds.shape)
        for start in range(0, len(corpus.rows), BATCH):
            with mixed_precision(device):
                sounds = vae.decode(latents[start : start + BATCH].to(device)).sample[:, 0].float()
            sounds = sounds / sounds.abs().amax(dim=1, keepdim=True).clamp(min=1e-6)
            decoded[start : start + BATCH] = (sounds * 32_767).round().to(torch.int16).cpu().numpy()
        decoded.flush()
        (folder / "decoded.new.npy").rename(file)
    return np.load(file, mmap_mode="r")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("direction", choices=("encode", "decode"), help="what to make")
    parser.add_argument("--work", type=Path, default="build/lab", help="folder of corpus and checkpoints")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    arguments = parser.parse_args()
    fused_snake.install()
    make = encode_corpus if arguments.direction == "encode" else decode_corpus
    print(make(Corpus(arguments.work / "corpus"), arguments.work / "vae", arguments.device).shape)


if __name__ == "__main__":
    main()
