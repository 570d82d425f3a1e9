"""Connected components by SciPy: the oracle of clusters."""

from __future__ import annotations

import numpy as np
from scipy.sparse.csgraph import connected_components


def linked(near: np.ndarray) -> np.ndarray:
    """For each node the first of its component in a matrix of links."""
    _, labels = connected_components(near, directed=False)
    return np.array([np.flatnonzero(labels == label)[0] for label in labels])
