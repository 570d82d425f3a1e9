"""All vectors nearer to one another than a threshold, exactly, without comparing all of them in full.

Between unit vectors, a cosine of t or more is a squared distance of 2 - 2t or less. Two bounds, both certain,
leave few pairs to measure:

- Split each vector, less the mean, into its first principal components z and a rest of length r. Two vectors
  are at least as far apart as their sketches (z, r), because the rests differ by no less than their lengths
  do; and sketches are an eighth as long as CLAP's embeddings.
- Sketches are sorted into cells, each to its nearest centre. Whoever is nearer to another cell's members than
  the threshold allows is no further than that from the plane between the two centres.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from unheard.common.progress import Report

COMPONENTS = 63
"""Of the sketch; the length of the rest is the 64th number."""
SAMPLE = 50_000
"""Vectors from which the principal components are taken; they decide how fast it goes, not what is found."""
MOST_CELLS = 4096
ROUNDS = 5
"""Of Lloyd's algorithm. Better cells would save less than they cost."""
ROWS, COLUMNS = 1024, 4096
"""Sketches compared in one matrix product, whose result should stay near the processor."""
SLACK = 1e-4
"""Bound on the error of a squared distance of sketches in float32."""
ROUNDING = 1e-9
"""By how much the cosine of equal vectors may fall short of 1."""
MEASURED_AT_ONCE = 1 << 14
PENDING = 1 << 12
"""Pairs that are collected before they are merged into the labels."""


def single_linkage(
    unit: np.ndarray,
    threshold: float,
    *,
    device: str | torch.device = "cpu",
    progress: Report | None = None,
) -> np.ndarray:
    """Clusters: what a chain of pairs with a cosine of at least the threshold connects.

    The number of comparisons of sketches grows with the square of the count, memory with the count.

    Args:
        unit: [count, dimension] float32, finite and of unit length.
        threshold: a cosine.
        device: where sketches are compared; what is found is the same on each.

    Returns:
        For each vector the position of its cluster's first, int64 [count].
    """
    links = Links(len(unit))
    for left, right in _candidates(unit, threshold, links, torch.device(device), progress):
        for start in range(0, len(left), MEASURED_AT_ONCE):
            some = slice(start, start + MEASURED_AT_ONCE)
            one, other = links.apart(left[some], right[some])
            near = cosines(unit, one, other) >= threshold - ROUNDING
            links.join(one[near], other[near])
    return links.first_members()


def cosines(vectors: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Cosines of the pairs of rows at these positions, in float64."""
    one, other = vectors[left].astype(np.float64), vectors[right].astype(np.float64)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    similarities: np.ndarray = np.einsum("nd,nd->n", one, other) / lengths
    return similarities


class Links:
    """Connected components of pairs that are met one after the other, in memory of the number of nodes.

    Attributes:
        labels: int [count], equal for nodes that are connected, but for those connected last.
    """

    def __init__(self, count: int) -> None:
        self.labels = np.arange(count)
        self._pending: list[tuple[np.ndarray, np.ndarray]] = []

    def join(self, left: np.ndarray, right: np.ndarray) -> None:
        """Connect nodes left[n] and right[n]."""
        self._pending.append((left, right))
        if sum(len(one) for one, _ in self._pending) >= PENDING:
            self._merge()

    def apart(self, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The pairs without those that are connected by the labels."""
        open_ = self.labels[left] != self.labels[right]
        return left[open_], right[open_]

    def first_members(self) -> np.ndarray:
        """For each node the first of its component."""
        self._merge()
        _, first, component = np.unique(self.labels, return_index=True, return_inverse=True)
        return first[component]

    def _merge(self) -> None:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        if not self._pending:
            return
        left, right = (self.labels[np.concatenate(side)] for side in zip(*self._pending, strict=True))
        self._pending.clear()
        count = len(self.labels)
        graph = coo_array((np.ones(len(left), dtype=bool), (left, right)), shape=(count, count))
        self.labels = connected_components(graph, directed=False)[1][self.labels]


def _candidates(
    unit: np.ndarray, threshold: float, links: Links, device: torch.device, progress: Report | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of positions that hold all those at or above the threshold, and few others.

    Pairs that are linked already are left out: of a cluster of thousands nearly all are, when they are met.
    """
    limit = 2 - 2 * threshold + SLACK
    sketches = torch.from_numpy(_sketches(unit)).to(device)
    centres = _centres(sketches)
    cell = _nearest(sketches, centres)
    order = cell.argsort(stable=True)
    sketches, cell = sketches[order], cell[order]
    own = (sketches - centres[cell]).square().sum(dim=1)
    between = torch.cdist(centres, centres)
    starts = torch.searchsorted(cell, torch.arange(len(centres) + 1, device=device)).tolist()

    left, right = _left(sketches), _right(sketches)
    centres = _left(centres)

    def labels(positions: Tensor) -> Tensor:
        return torch.from_numpy(links.labels[order[positions].cpu().numpy()]).to(device)

    for number, (first, end) in enumerate(pairwise(starts)):
        if first == end:
            continue
        # Twice the distance to the plane between the centres is the difference of the squared distances to
        # them, over their own distance. The cells before this one have met it already.
        beyond = right[first:] @ centres[number] - own[first:]
        visits = beyond <= 2 * limit**0.5 * between[number, cell[first:]] + SLACK
        visitors = first + visits.nonzero()[:, 0]
        guests = right[visitors]
        for start in range(first, end, ROWS):
            members = left[start : min(start + ROWS, end)]
            for column in range(0, len(visitors), COLUMNS):
                distances = members @ guests[column : column + COLUMNS].T
                rows = (distances.amin(dim=1) <= limit).nonzero()[:, 0]
                if not len(rows):
                    continue
                apart = labels(start + rows)[:, None] != labels(visitors[column : column + COLUMNS])
                row, guest = ((distances[rows] <= limit) & apart).nonzero().unbind(1)
                one, other = start + rows[row], visitors[column + guest]
                once = other > one
                yield order[one[once]].cpu().numpy(), order[other[once]].cpu().numpy()
        if progress is not None:
            progress(end, len(unit))


def _left(points: Tensor) -> Tensor:
    """Points such that `_left(a) @ _right(b).T` is |a - b|^2 = -2ab + |a|^2 + |b|^2."""
    squares = points.square().sum(dim=1, keepdim=True)
    return torch.cat([-2 * points, squares, torch.ones_like(squares)], dim=1)


def _right(points: Tensor) -> Tensor:
    squares = points.square().sum(dim=1, keepdim=True)
    return torch.cat([points, torch.ones_like(squares), squares], dim=1)


def _centres(sketches: Tensor) -> Tensor:
    """Centres of the cells, by Lloyd's algorithm on a sample."""
    count = min(MOST_CELLS, 2 * math.isqrt(len(sketches)), len(sketches))
    sample = sketches[:: max(1, len(sketches) // SAMPLE)]
    centres = sample[:: max(1, len(sample) // count)][:count].clone()
    for _ in range(ROUNDS):
        cell = _nearest(sample, centres)
        sizes = cell.bincount(minlength=len(centres))[:, None]
        sums = torch.zeros_like(centres).index_add_(0, cell, sample)
        centres = torch.where(sizes > 0, sums / sizes.clamp(min=1), centres)
    return centres


def _nearest(sketches: Tensor, centres: Tensor) -> Tensor:
    """For each sketch the nearest centre."""
    return torch.cat([torch.cdist(some, centres).argmin(dim=1) for some in torch.split(sketches, COLUMNS)])


def _sketches(unit: np.ndarray) -> np.ndarray:
    """First principal components and the length of the rest, float32 [count, components + 1]."""
    sample = unit[:: max(1, len(unit) // SAMPLE)].astype(np.float64)
    mean = sample.mean(axis=0)
    _, axes = np.linalg.eigh((sample - mean).T @ (sample - mean))
    axes = axes[:, ::-1][:, :COMPONENTS]  # by falling variance
    sketches = np.empty((len(unit), axes.shape[1] + 1), dtype=np.float32)
    for start in range(0, len(unit), ROWS):
        centred = unit[start : start + ROWS] - mean
        components = centred @ axes
        rest = np.square(centred).sum(axis=1) - np.square(components).sum(axis=1)
        sketches[start : start + ROWS, :-1] = components
        sketches[start : start + ROWS, -1] = np.sqrt(np.maximum(rest, 0))
    return sketches
