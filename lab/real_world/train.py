"""What the real world's model learns from; training is that of `lab.planted.train`."""

from __future__ import annotations

import numpy as np

from lab import sizes
from lab.corpus_files import Corpus
from lab.planted.train import deck as planted_and_known

PLANS = {
    "report": sizes.Training(2_200, 16, 1e-3),
    "confirmation": sizes.Training(2_600, 16, 1e-3),
    "benchmark": sizes.Training(2_500, 16, 1e-3),
    "proof": sizes.Training(2_200, 16, 1e-3),
}
"""As many steps as what is planted of a side needs."""
REAL_SHARE = 4
"""Draws of a real recording that occurs once, for one of a rendered sound."""


def deck(corpus: Corpus) -> np.ndarray:
    """Positions to draw from: mostly planted recordings, and real ones more than rendered ones."""
    real = [position for position in corpus.positions("ordinary") if "recording" in corpus.rows[position]]
    return np.concatenate([planted_and_known(corpus), np.repeat(real, REAL_SHARE - 1)])
