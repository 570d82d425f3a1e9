"""Diversity: how different the sounds of one prompt are under different seeds.

Conventions: the mean of `1 - cosine` over all pairs of different seeds, in 0 to 2; higher is more diverse. It
is Zhu et al.'s average pairwise distance (2017, arXiv 1711.11586) with the judge's cosine in place of LPIPS.
"""

from __future__ import annotations

import numpy as np


def mean_pairwise_distance(embeddings: np.ndarray) -> float | None:
    """Of the sounds of one prompt `[seeds, dimension]`, unit vectors; None for fewer than two."""
    count = len(embeddings)
    if count < 2:
        return None
    vectors = np.asarray(embeddings, np.float64)
    total = vectors.sum(axis=0)
    between = float(total @ total - (vectors**2).sum())  # cosines of all ordered pairs of different seeds
    return 1 - between / (count * (count - 1))
