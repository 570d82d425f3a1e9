"""The embeddings of an index: what a search needs of them, and the exact search in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

COARSE_ERROR = 1e-3
"""Bound on the error of a cosine computed on the device, in float32 or in the TF32 of GPUs."""

RECHECKED_AT_ONCE = 1 << 15
"""Candidates computed again in float64 at a time: 128 MiB at 512 numbers each."""


class Vectors(Protocol):
    """The embeddings of an index, by position, and how the nearest to a query are found."""

    def to(self, device: torch.device) -> None:
        """Compute on this device from now on."""
        ...

    def unit(self, positions: Tensor) -> Tensor:
        """Positions [batch] to unit vectors [batch, dimension], float32 on the device."""
        ...

    def nearest(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """The k nearest to each query, by cosine; of equally near ones the first.

        Args:
            queries: [batch, dimension], on any device and in any precision.
            k: at least 1, at most as many as there are positions.

        Returns:
            Similarities [batch, k] in -1 to 1, falling, float64, and positions [batch, k], both on the CPU. A
            query with a NaN or an infinity in it gets NaN and the first k.
        """
        ...


class ExactVectors:
    """Embeddings in memory, all compared.

    Exact: what the device finds within its error of the k-th is computed again in float64. Thus the same
    query finds the same items in any batch and on any device.

    Args:
        unit: [count, dimension] of unit length, float32.
        exact: positions [n] to the same vectors [n, dimension] in float64, on the CPU.
    """

    def __init__(self, unit: Tensor, exact: Callable[[Tensor], Tensor]) -> None:
        self._unit, self._exact = unit, exact

    def to(self, device: torch.device) -> None:
        self._unit = self._unit.to(device)

    def unit(self, positions: Tensor) -> Tensor:
        return self._unit[positions.to(self._unit.device)]

    def nearest(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        coarse = self._cosines(F.normalize(queries.to(self._unit.device, torch.float32), dim=-1))
        worst = coarse.amax(dim=1, keepdim=True) if k == 1 else coarse.topk(k).values[:, -1:]
        within_reach = coarse >= worst - 2 * COARSE_ERROR
        rows, candidates = within_reach.nonzero().cpu().unbind(1)
        exact_queries = F.normalize(queries.to("cpu", torch.float64), dim=-1)
        exact = torch.cat(
            [
                (self._exact(few) * exact_queries[of]).sum(dim=-1)
                for few, of in zip(
                    torch.split(candidates, RECHECKED_AT_ONCE),
                    torch.split(rows, RECHECKED_AT_ONCE),
                    strict=True,
                )
            ]
        )
        counts = rows.bincount(minlength=len(queries)).tolist()
        similarities, positions = no_answers(len(queries), k)
        for query, (found, near) in enumerate(
            zip(torch.split(exact, counts), torch.split(candidates, counts), strict=True)
        ):
            if len(found):
                ordered, order = found.sort(descending=True, stable=True)
                similarities[query] = ordered[:k].clamp(-1, 1)
                positions[query] = near[order[:k]]
        return similarities, positions

    def _cosines(self, directions: Tensor) -> Tensor:
        """Of unit vectors [batch, dimension] with all, [batch, count], within `COARSE_ERROR`."""
        if self._unit.device.type == "cpu" and len(directions) == 1:
            # For one vector with very many, NumPy's library reads the many a tenth faster than torch's.
            return torch.from_numpy(directions.numpy() @ self._unit.numpy().T)
        return directions @ self._unit.T


def no_answers(queries: int, k: int) -> tuple[Tensor, Tensor]:
    """What a query gets that has no direction: NaN [queries, k] and the first positions [queries, k]."""
    return torch.full((queries, k), torch.nan, dtype=torch.float64), torch.arange(k).repeat(queries, 1)
