"""How much a word of captions says about the sound: whether the sounds that it is said of sound alike.

"Flute" is said of sounds that lie close together, "lament" and "by the sea" of sounds that lie anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

SOUNDS = 64
"""Sounds of a word that are compared, at the most."""
CENTRE = 4096
"""Sounds that the centre of all is taken from, at the most."""


class WordConsistency:
    """Mean cosines of the embeddings that a word is said of, their common centre taken out.

    Args:
        unit: positions [n] to unit vectors [n, dimension].
        count: how many positions there are.
    """

    def __init__(self, unit: Callable[[Tensor], Tensor], count: int) -> None:
        self._unit, self._count = unit, count

    def __call__(self, positions: Sequence[int]) -> float:
        """Mean cosine of all pairs of these items, 0 to 1; 0 for fewer than two, and below it.

        With `m` the sum of `n` unit vectors it is `(|m|^2 - n) / (n (n - 1))`.
        """
        if len(positions) < 2:
            return 0.0
        some = _spread(len(positions), SOUNDS)
        chosen = torch.as_tensor(positions)[some]
        towards = F.normalize(self._unit(chosen).double() - self._centre, dim=1)
        n = len(chosen)
        return max(0.0, (float(towards.sum(dim=0).square().sum()) - n) / (n * (n - 1)))

    @cached_property
    def _centre(self) -> Tensor:
        return self._unit(_spread(self._count, CENTRE)).double().mean(dim=0)


def _spread(count: int, most: int) -> Tensor:
    """At most so many of the numbers below `count`, evenly spread."""
    return torch.linspace(0, count - 1, min(count, most)).round().long()
