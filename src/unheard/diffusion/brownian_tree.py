"""The noise of sounds made before provenance had format 3: torchsde's Brownian tree."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

ALL_LEVELS = 1e-4, 1e5
"""Between which noise levels the noise for a model's own schedule is drawn; in double precision."""


class BrownianTreeNoise:
    """Increments of one Brownian motion a sample over the noise level, as `noise(sigma, sigma_next)`.

    The motion is a function of the seed, and of the range of noise levels. Increments of neighbouring
    intervals add up to the increment of their union (Li et al. 2020, arXiv 2001.01328).

    Args:
        shape_of_one: shape of one sample, without the batch.
        sigma_min: lowest noise level that will be asked for, above 0.
        sigma_max: highest noise level that will be asked for.
        seeds: one non-negative seed a sample.
    """

    def __init__(
        self,
        shape_of_one: Sequence[int],
        sigma_min: float,
        sigma_max: float,
        seeds: Sequence[int],
        dtype: torch.dtype = torch.float32,
    ) -> None:
        import torchsde

        self.sigma_min, self.sigma_max = float(sigma_min), float(sigma_max)
        start = torch.zeros(tuple(shape_of_one), dtype=dtype)
        self.trees = [
            torchsde.BrownianTree(self.sigma_min, start, self.sigma_max, entropy=seed) for seed in seeds
        ]

    def __call__(self, sigma: float, sigma_next: float) -> Tensor:
        """Noise [batch, *shape_of_one] of the interval between two noise levels, in either order."""
        low, high = sorted((self._within(sigma), self._within(sigma_next)))
        increments = torch.stack([tree(low, high) for tree in self.trees])
        return increments / math.sqrt(high - low)

    def _within(self, sigma: float) -> float:
        """The ends of a schedule may lie a rounding error outside the tree, and pure noise does."""
        return min(max(float(sigma), self.sigma_min), self.sigma_max)
