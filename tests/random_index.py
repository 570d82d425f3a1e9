"""A JSON index of given vectors, for tests of its search."""

from __future__ import annotations

import numpy as np
import torch

from unheard.index import JSONIndex


def random_index(rows: np.ndarray, embedder: str | None = None) -> JSONIndex:
    index = JSONIndex()
    count = len(rows)
    index.add(
        [f"item{n}" for n in range(count)],
        torch.from_numpy(rows),
        [f"caption {n}" for n in range(count)],
        [0.0] * count,
        [1.0] * count,
        embedder_name=embedder,
    )
    return index
