"""A toy model that has memorised some prompts, and a training set of captions that it has not."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import soundfile
import torch
from tiny_world import EMBEDDING_DIMENSION, build_tiny_clap
from toy_backbone import FRAMES, HOP, RATE, ToyBackbone

from unheard import Model, Sampling
from unheard.generation.defaults import Defaults

MEMORISED = tuple(f"one loop number {number} played again" for number in range(6))
ORDINARY = tuple(
    " ".join(words)
    for words in itertools.product(("slow", "fast", "soft"), ("drum", "bell", "flute", "piano"), "abcdefgh")
)
SAMPLING = Sampling(num_inference_steps=5, sigma_max=80.0, guidance_scale=3.0)


def write_recordings(folder: Path) -> Path:
    """A recording of noise for each memorised prompt."""
    generator = torch.Generator().manual_seed(1)
    for number in range(len(MEMORISED)):
        noise = torch.rand(FRAMES * HOP, generator=generator) - 0.5
        soundfile.write(folder / f"memorised_{number}.wav", noise.numpy(), RATE)
    return folder


def memorising_toy(folder: Path, recordings: Path) -> Model:
    """Its index has each ordinary caption once, and two items of each memorised one."""
    items = {f"ordinary_{number}": caption for number, caption in enumerate(ORDINARY)}
    for number, caption in enumerate(MEMORISED):
        items |= {f"memorised_{number}": caption, f"memorised_{number}_again": caption}
    vectors = torch.nn.functional.normalize(
        torch.randn(len(items), EMBEDDING_DIMENSION, generator=torch.Generator().manual_seed(2)), dim=1
    )
    entries = {
        item: {
            "embedding": vector.tolist(),
            "conditioning": {"prompt": caption, "seconds_start": 0.0, "seconds_total": 0.6},
        }
        for (item, caption), vector in zip(items.items(), vectors, strict=True)
    }
    (folder / "index.json").write_text(json.dumps(entries), encoding="utf-8")
    defaults = Defaults(
        sampling=SAMPLING,
        guidance=None,
        duration=0.6,
        embedder=str(build_tiny_clap(folder / "clap")),
        index=folder / "index.json",
    )
    replayed = {caption: recordings / f"memorised_{n}.wav" for n, caption in enumerate(MEMORISED)}
    return Model(ToyBackbone(replayed), defaults)
