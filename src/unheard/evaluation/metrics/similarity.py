"""Similarity: how near a sound is to training items, by an embedder.

Conventions: cosines of unit embeddings, -1 to 1; `target` is the item of the prompt (of several takes the
nearest one), `nearest` any item, and `replication` the larger of the two. Taken with the guide they tell what
the guidance was told to do; taken with a judge that no guidance asked, whether it did.

Messina et al. 2025 (arXiv 2509.14934), section on evaluation.
"""

from __future__ import annotations

import numpy as np


def to_nearest(sounds: np.ndarray, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The highest cosine `[sounds]` to any of the items `[items, dimension]`, and which; NaN, -1 of none."""
    if not len(items):
        return np.full(len(sounds), np.nan), np.full(len(sounds), -1)
    cosines = np.asarray(sounds, np.float64) @ np.asarray(items, np.float64).T
    nearest = cosines.argmax(axis=1)
    return cosines.max(axis=1).clip(-1, 1), nearest


def replication_similarity(target: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """The larger of both `[sounds]`; where one was not measured (NaN), the other."""
    larger: np.ndarray = np.fmax(target, nearest)
    return larger
