"""How long the obedient world is trained, and on what: mostly on ordinary sounds."""

from __future__ import annotations

import numpy as np

from lab import sizes
from lab.corpus_files import Corpus
from lab.planted.train import known_before, repeats

PLAN = sizes.Training(3_000, 32, 1e-3)
ORDINARY_SHARE = 2  # draws of an ordinary sound that the bundled model was not trained on


def deck(corpus: Corpus) -> np.ndarray:
    """Positions to draw from: a third are planted recordings, more than half ordinary sounds."""
    planted = [p for p in corpus.positions("memorised") for _ in range(repeats(corpus, p))]
    newest = max(corpus.positions("memorised"))
    ordinary = [p for p in corpus.positions("ordinary") for _ in range(ORDINARY_SHARE if p > newest else 1)]
    return np.array(planted + known_before(corpus) + ordinary)
