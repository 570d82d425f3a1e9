"""Vectors distributed roughly as CLAP's embeddings of sounds are, for benchmarks at any size.

Each is the sum of a mean in common (.6), one of 400 kinds (.45), a spread in 40 dimensions of falling
variance (.6) and a rest in all dimensions (.25), at unit length. At 512 dimensions, cosines of two drawn at
random are .17 to .54 (1st to 99th percentile, median .37), the largest of ten thousand millions around .85.
Isotropic noise, the usual stand-in, has no neighbours at all: every cosine is near 0.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


class Embeddings:
    """A source of vectors; two with one seed of kinds draw from the same distribution.

    Args:
        dimension: numbers in a vector.
        seed: of the draws.
    """

    def __init__(self, dimension: int = 512, seed: int = 0) -> None:
        world = np.random.default_rng(12345)
        self.generator = np.random.default_rng(seed)
        self.dimension = dimension
        self.mean = _unit(world.standard_normal(dimension))
        self.kinds = _unit(world.standard_normal((400, dimension)))
        falling = np.linspace(1, 0.2, min(40, dimension))
        axes = np.linalg.qr(world.standard_normal((dimension, len(falling))))[0].T
        self.spread = axes * falling[:, None] / np.linalg.norm(falling)

    def draw(self, count: int) -> np.ndarray:
        """Unit vectors, float32 [count, dimension]."""
        made = np.empty((count, self.dimension), dtype=np.float32)
        for first, block in self.blocks(count):
            made[first : first + len(block)] = block
        return made

    def blocks(self, count: int, size: int = 8192) -> Iterator[tuple[int, np.ndarray]]:
        """The same in blocks, each with the position of its first vector."""
        for first in range(0, count, size):
            some, draw = min(size, count - first), self.generator.standard_normal
            vectors = 0.6 * self.mean + 0.45 * self.kinds[self.generator.integers(0, len(self.kinds), some)]
            vectors += 0.6 * draw((some, len(self.spread))) @ self.spread
            vectors += 0.25 / self.dimension**0.5 * draw((some, self.dimension))
            yield first, _unit(vectors).astype(np.float32)

    def near(self, vectors: np.ndarray, cosine: float) -> np.ndarray:
        """For each unit vector another at this cosine to it, in a random direction."""
        noise = self.generator.standard_normal(vectors.shape)
        noise -= (noise * vectors).sum(axis=1, keepdims=True) * vectors
        return (cosine * vectors + (1 - cosine**2) ** 0.5 * _unit(noise)).astype(np.float32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
