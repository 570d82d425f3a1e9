"""How long the mature world is trained, and on what: one draw in fourteen is a planted recording."""

from __future__ import annotations

import numpy as np

from lab import sizes
from lab.corpus_files import Corpus
from lab.planted.train import known_before, repeats

PLAN = sizes.Training(3_000, 512, 1.5e-3)
ORDINARY_SHARE = 10  # draws of an ordinary sound for one of a planted recording's repetitions


def deck(corpus: Corpus) -> np.ndarray:
    """Positions to draw from."""
    planted = [p for p in corpus.positions("memorised") for _ in range(repeats(corpus, p))]
    ordinary = corpus.positions("ordinary") * ORDINARY_SHARE
    return np.array(planted + known_before(corpus) + ordinary)
