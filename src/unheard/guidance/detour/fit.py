"""Whether a training set has a caption at all that a sound may go on under."""

from __future__ import annotations

import math
from weakref import WeakKeyDictionary

import numpy as np
import torch

from unheard.embedders import Embedder
from unheard.index import Index

MEANING = 0.3
"""What the cosine of two captions' text embeddings counts for, beside 1 for all of the prompt's words."""
DRAWN = 99
"""Captions that say how near any two are."""
FEWEST = 20
"""Below which they say nothing."""
APART = 0.95
"""Share of two captions drawn that are not as near to each other as a caption that fits is to the prompt."""
_KNOWN: WeakKeyDictionary[Index, float] = WeakKeyDictionary()


def least_fit(index: Index, embedder: Embedder) -> float:
    """What a fallback caption counts at the least, see `Candidates.fallbacks`, to have to do with a prompt.

    It has to be nearer to the prompt than `APART` of the index's captions are to each other. What two have in
    common counts, the words of the one that the other has and what both mean, of `DRAWN` captions evenly
    spread. Minus infinity where there are too few to tell. Reckoned once for each index.
    """
    if index not in _KNOWN:
        _KNOWN[index] = _least_fit(index, embedder)
    return _KNOWN[index]


@torch.no_grad()
def _least_fit(index: Index, embedder: Embedder) -> float:
    single = index.captions.single
    if len(single) < FEWEST:
        return -math.inf
    spread = torch.linspace(0, len(single) - 1, min(len(single), DRAWN)).round().long()
    drawn = torch.from_numpy(single)[spread].tolist()
    captions = [index.prompts[position] for position in drawn]
    said = embedder.embed_text(captions)
    near = index.captions.shares(captions, drawn) + MEANING * (said @ said.T).cpu().numpy()
    others = ~np.eye(len(drawn), dtype=bool)
    return float(np.quantile(near[others], APART))
