"""Stages of a world whose model begins with another's weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from lab import fused_snake, recordings, sizes
from lab.__main__ import stage
from lab.corpus_files import Corpus
from lab.planted import pack
from lab.planted.train import encode_all, train


def corpus_and_latents(write: Callable[[Path, Path], None], before: Path, work: Path, device: str) -> Corpus:
    """What `write` makes of the corpus of the world `before`; latents are made of what is new alone."""
    written = (work / "corpus" / "corpus.json").is_file()
    stage("corpus", written, partial(write, before / "corpus", work / "corpus"))
    everything, latents = Corpus(work / "corpus"), Path("diffusion", "latents.safetensors")
    encode = partial(encode_all, everything, before / "model", work / "diffusion", device, before / latents)
    stage("latents", (work / latents).is_file(), encode)
    return everything


def train_and_pack(
    plan: sizes.Training, deck: np.ndarray, corpus: Corpus, model: Path, work: Path, device: str
) -> None:
    """Train the `model` on what `deck` draws, write the training set as sound files, and pack all of it."""
    fused_snake.install()
    learn = partial(train, plan, deck, corpus)
    stage("training", False, partial(learn, model, work / "diffusion", device))
    stage("recordings", False, partial(recordings.write, corpus, work / "recordings"))
    stage("pack", False, partial(pack.assemble, model, work, work / "model"))
