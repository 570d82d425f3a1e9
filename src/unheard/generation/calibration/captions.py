"""Which captions of a training set are ordinary, and which are suspected of being memorised."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable

from unheard.common.texts import plural
from unheard.errors import InputError
from unheard.index import Index
from unheard.index.searching.captions import normalised

LEAST = 20
"""Ordinary captions below which nothing can be said of a threshold."""


def ordinary_captions(
    index: Index, count: int, *, seed: int, without: Iterable[str] = (), memorised: Collection[str] = ()
) -> list[str]:
    """Captions that the training set has once, drawn at random: what a gate must not open for.

    A larger `count` of the same seed begins with the same captions.

    Args:
        index: the training set.
        count: how many; as many as there are, if there are fewer.
        seed: of the draw.
        without: captions that are suspected.
        memorised: ids of items that are known to be memorised.
    """
    suspected = {normalised(caption) for caption in without}
    found = [
        index.prompts[position]
        for position, text in enumerate(index.captions.texts)
        if index.captions.alone(position)
        and index.captions.positions(text)[0] == position
        and text not in suspected
        and index.ids[position] not in memorised
    ]
    random.Random(seed).shuffle(found)
    return found[:count]


def repeated_captions(index: Index, most: int) -> list[str]:
    """Captions that several items of the training set have, those of the most items first."""
    texts = dict.fromkeys(index.captions.texts)
    items = {text: index.captions.positions(text) for text in texts if text}
    several = sorted((text for text in items if len(items[text]) > 1), key=lambda text: -len(items[text]))
    return [index.prompts[items[text][0]] for text in several[:most]]


def check_enough(ordinary: int, where: object) -> None:
    """Raise InputError where there are too few ordinary captions to learn a threshold from."""
    if ordinary < LEAST:
        raise InputError(
            f"{where} has {plural(ordinary, 'caption')} found only once: {LEAST} at least are needed, "
            "give further ordinary prompts (--prompts FILE)"
        )
