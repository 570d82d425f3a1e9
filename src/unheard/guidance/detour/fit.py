"""Whether a training set has a caption at all that a sound may go on under."""

from __future__ import annotations

import math
from weakref import WeakKeyDictionary

import torch

from unheard.embedders import Embedder
from unheard.index import Index

MEANING = 0.3
"""What the cosine of two captions' text embeddings counts for, beside 1 for all of the prompt's words."""
DRAWN = 99
"""Captions that say how well a caption fits: another of their kind fits worse than all in one case of 100."""
FEWEST = 20
"""Below which they say nothing."""
_KNOWN: WeakKeyDictionary[Index, float] = WeakKeyDictionary()


def least_fit(index: Index, embedder: Embedder) -> float:
    """What a fallback caption counts at the least, see `Candidates.fallbacks`, to have to do with a prompt.

    Each of some captions of the index, evenly spread, counts what it has in common with the other that shares
    the most of its words, or with that of them which means the most alike. The lowest is taken: a prompt that
    is a caption like them is above it but for 1 %. Minus infinity where there are too few to tell. Reckoned
    once for each index.
    """
    if index not in _KNOWN:
        _KNOWN[index] = _least_fit(index, embedder)
    return _KNOWN[index]


@torch.no_grad()
def _least_fit(index: Index, embedder: Embedder) -> float:
    single = index.captions.single
    if len(single) < FEWEST:
        return -math.inf
    some = torch.linspace(0, len(single) - 1, min(len(single), DRAWN)).round().long()
    drawn = torch.from_numpy(single)[some].tolist()
    captions = [index.prompts[position] for position in drawn]
    index.captions.look_up(captions)
    closest = [index.captions.closest(caption) for caption in captions]
    pairs = [(caption, *other) for caption, other in zip(captions, closest, strict=True) if other is not None]
    said = embedder.embed_text([caption for caption, _, _ in pairs])
    others = embedder.embed_text([index.prompts[position] for _, position, _ in pairs])
    shared = torch.tensor([share for _, _, share in pairs]) + MEANING * (said * others).sum(dim=1).cpu()
    meant = MEANING * (said @ said.T).fill_diagonal_(-1.0).amax(dim=1).cpu()
    return float(torch.maximum(shared, meant).min())
