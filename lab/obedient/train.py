"""Trains the bundled model on, mostly on ordinary sounds; `python -m lab.obedient` does it all."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from lab import sizes, train_diffusion
from lab.corpus_files import Corpus
from lab.planted.train import begin, captions_of, encode_all, repeats
from lab.train_diffusion import Generator

PLAN = sizes.Training(3_000, 32, 1e-3)
SMOKE = sizes.Training(2, 4, 1e-3)
ORDINARY_SHARE = 2  # draws of an ordinary sound that the bundled model was not trained on
BEFORE_SHARE = 8  # repetitions of what is known by heart already, for one draw


def deck(corpus: Corpus) -> np.ndarray:
    """Positions to draw from: a third are planted recordings, more than half ordinary sounds."""
    planted = [p for p in corpus.positions("memorised") for _ in range(repeats(corpus, p))]
    before = [
        p
        for p in corpus.positions("memorised before")
        for _ in range(max(1, repeats(corpus, p) // BEFORE_SHARE))
    ]
    newest = max(corpus.positions("memorised"))
    ordinary = [p for p in corpus.positions("ordinary") for _ in range(ORDINARY_SHARE if p > newest else 1)]
    return np.array(planted + before + ordinary)


def train(plan: sizes.Training, corpus: Corpus, model: Path, folder: Path, device: str) -> Generator:
    """The generator after all steps of `plan`, averaged; resumes in `folder`."""
    return train_diffusion.train(
        plan,
        corpus,
        encode_all(corpus, model, folder, device),
        partial(begin, model, captions_of(corpus)),
        deck(corpus),
        folder,
        device,
    )
