"""What a word of captions says of the sound: which way the sounds lie that it is said of, and how much alike.

"Flute" is said of sounds that lie close together, "lament" and "by the sea" of sounds that lie anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from unheard.index.searching.captions import WordSound

SOUNDS = 64
"""Sounds of a word that are compared, at the most."""
CENTRE = 4096
"""Sounds that the centre of all is taken from, at the most."""
UNALIKE = 30
"""Sounds that a word is thought to be said of besides, unlike all others: few may be alike by chance."""


class WordSounds:
    """Means of the embeddings that a word is said of, and their cosines; the common centre is taken out.

    Args:
        unit: positions [n] to unit vectors [n, dimension].
        count: how many positions there are.
    """

    def __init__(self, unit: Callable[[Tensor], Tensor], count: int) -> None:
        self._unit, self._count = unit, count

    def __call__(self, positions: Sequence[int]) -> WordSound:
        """Of these items, with m the sum of their n unit vectors.

        The direction is `m / n`. The consistency is the mean cosine of two of them, where each meets
        `UNALIKE` others with a cosine of 0 as well: `(|m|^2 - n) / (n (n - 1 + UNALIKE))`, at least 0.
        """
        n = min(len(positions), SOUNDS)
        chosen = torch.as_tensor(positions, dtype=torch.long)[_spread(len(positions), SOUNDS)]
        towards = F.normalize(self._unit(chosen).double() - self._centre, dim=1)
        total = towards.sum(dim=0)
        alike = (float(total.square().sum()) - n) / max(n * (n - 1 + UNALIKE), 1)
        return WordSound(max(0.0, alike), (total / max(n, 1)).cpu().numpy())

    @cached_property
    def _centre(self) -> Tensor:
        return self._unit(_spread(self._count, CENTRE)).double().mean(dim=0)


def _spread(count: int, most: int) -> Tensor:
    """At most so many of the numbers below `count`, evenly spread."""
    return torch.linspace(0, count - 1, min(count, most)).round().long()
