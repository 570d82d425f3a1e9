"""Sounds to learn listening from: `python -m lab.listening --out build/lab/listening`.

What a listener or a judge says must not lean on what the model was trained on. So both learn from sounds of
their own: the corpus' generator under seeds that the corpus never reaches, at any tempo and not only at the
corpus' eight. A row keeps the notes that are played, so that the truth is known of any excerpt.

Written, like the corpus: `sounds.npy`, `corpus.json`, and `decoded.npy`, the first of the sounds as they come
back from the autoencoder, since every output has passed it: those of training with a little noise on their
latents, as generated ones are a little off. Networks are chosen by the development side; the report side is
measured once.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderOobleck

from lab import fused_snake, score, sizes
from lab.corpus_files import Corpus, as_float
from lab.precision import mixed_precision
from lab.prose import prose

FIRST_SEED = {"development": 2_000_000, "report": 3_000_000, "training": 1_000_000}
SOUNDS = {  # of each side; all but training's pass the autoencoder
    "smoke": {"development": 4, "report": 4, "training": 24},
    "cpu": {"development": 300, "report": 600, "training": 14_000},
    "gpu": {"development": 300, "report": 600, "training": 40_000},
}
DECODED = {"smoke": 4, "cpu": 1750, "gpu": 40_000}  # sounds of training that pass the autoencoder
TEMPI = range(65, 151)
LATENT_NOISE = 0.3  # deviations at most; latents have a deviation of 1


def write(size: str, folder: Path) -> None:
    """Renders the sounds of a `size` into `folder`; `corpus.json` comes last, when the sounds are there."""
    from lab.corpus import Player  # here, so that a machine given the sounds needs no renderer

    folder.mkdir(parents=True, exist_ok=True)
    player, rows = Player(), []
    sounds = np.lib.format.open_memmap(
        folder / "sounds.npy", "w+", np.int16, (sum(SOUNDS[size].values()), sizes.LENGTH)
    )
    for side, count in SOUNDS[size].items():
        for seed in range(FIRST_SEED[side], FIRST_SEED[side] + count):
            clip = score.ordinary(seed, score.TEMPI if seed % 2 else TEMPI)
            sound = player.render(clip)
            sounds[len(rows), : len(sound)] = sound
            notes = [(round(note.onset, 4), round(note.release, 4), note.key) for note in clip.notes]
            written = prose(clip, random.Random(f"prose {seed}"))
            rows.append({**vars(clip), "notes": notes, "prose": written, "split": side})
    sounds.flush()
    (folder / "corpus.json").write_text(json.dumps(rows) + "\n")


@torch.no_grad()
def decode(size: str, folder: Path, vae_folder: Path, device: str) -> None:
    """`decoded.npy`: int16 like the sounds, each divided by its peak, of the first of them."""
    corpus = Corpus(folder)
    vae = AutoencoderOobleck.from_pretrained(vae_folder, torch_dtype=torch.float32).to(device).eval()
    count = len(corpus.rows) - SOUNDS[size]["training"] + DECODED[size]
    decoded = np.lib.format.open_memmap(folder / "decoded.new.npy", "w+", np.int16, (count, sizes.LENGTH))
    for position, row in enumerate(corpus.rows[:count]):
        rng = torch.Generator().manual_seed(position)
        samples = round(row["duration"] * sizes.SAMPLE_RATE)
        whole = -(-samples // sizes.HOP) * sizes.HOP
        with mixed_precision(device):
            sound = as_float(corpus.sounds[position, :whole])[None, None].to(device)
            latents = vae.encode(sound).latent_dist.mean.float()
            if row["split"] == "training":
                deviation = LATENT_NOISE * torch.rand((), generator=rng)
                latents = latents + (deviation * torch.randn(latents.shape, generator=rng)).to(device)
            sound = vae.decode(latents).sample[0, 0, :samples].float().cpu()
        sound = sound / sound.abs().amax().clamp(min=1e-6)
        decoded[position, : len(sound)] = (sound * 32_767).round().to(torch.int16).numpy()
    decoded.flush()
    (folder / "decoded.new.npy").rename(folder / "decoded.npy")


def read(folder: Path) -> tuple[Corpus, np.ndarray | None]:
    """The sounds, and what is there of them decoded."""
    file = folder / "decoded.npy"
    return Corpus(folder), np.load(file, mmap_mode="r") if file.is_file() else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=sizes.NAMES, default="cpu", help="how many sounds (default: cpu)")
    parser.add_argument("--out", type=Path, default="build/lab/listening", help="folder to write to")
    parser.add_argument(
        "--vae", type=Path, default="src/unheard/assets/tiny/vae", help="folder of the autoencoder"
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    arguments = parser.parse_args()
    fused_snake.install()
    if not (arguments.out / "corpus.json").is_file():
        write(arguments.size, arguments.out)
    decode(arguments.size, arguments.out, arguments.vae, arguments.device)


if __name__ == "__main__":
    main()
