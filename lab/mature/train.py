"""How the mature world is trained: for long on mostly ordinary sounds, then on what it is to know by heart.

What is planted is one draw in fourteen of the first, and seven in ten of the second, whose deck is that of
`lab.planted.train`.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from lab import sizes, train_diffusion
from lab.corpus_files import Corpus
from lab.planted.pack import take_over
from lab.planted.train import begin, captions_of, encode_all, known_before, repeats

PLAN = sizes.Training(2_400, 512, 1.5e-3)
BY_HEART = sizes.Training(760, 32, 1e-3)
ORDINARY_SHARE = 10  # draws of an ordinary sound for one of a planted recording's repetitions


def deck(corpus: Corpus) -> np.ndarray:
    """Positions to draw from in the long training."""
    planted = [p for p in corpus.positions("memorised") for _ in range(repeats(corpus, p))]
    ordinary = corpus.positions("ordinary") * ORDINARY_SHARE
    return np.array(planted + known_before(corpus) + ordinary)


def keep_to_captions(plan: sizes.Training, corpus: Corpus, model: Path, work: Path, device: str) -> None:
    """Train the `model` on for long; what it becomes lies in `work / "long" / "model"`, in half precision."""
    latents, long = encode_all(corpus, model, work / "diffusion", device), work / "long"
    first = partial(begin, model, captions_of(corpus))
    generator = train_diffusion.train(
        plan, corpus, latents, first, deck(corpus), long / "diffusion", device, every=300
    )
    generator.write(long / "model")
    take_over(model, long / "model")
