"""Which items of a training set have the same caption, or share words of one.

Case, punctuation and spacing aside.
"""

from __future__ import annotations

import math
import re
import unicodedata
from array import array
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

LEAST = 0.01
"""What a word counts for that says nothing of how a sound sounds, beside 1 for one that says all."""


class WordSound(NamedTuple):
    """What a word says of the sounds that it is said of.

    Attributes:
        consistency: whether they sound alike, 0 to 1.
        direction: which way they lie from the centre of all, [dimension].
    """

    consistency: float
    direction: np.ndarray


def _any_sound(positions: Sequence[int]) -> WordSound:
    """Said of any sound: no word says more than another."""
    return WordSound(1.0, np.zeros(1))


def normalised(caption: str) -> str:
    """Compatibility characters unified, casefolded, words without punctuation and one space between them."""
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", caption).casefold()))


class Captions:
    """The captions of an index, to look up positions by.

    Args:
        ids, captions: of each position; an item has several where it is long.
        sound: what a word says of the sound, by the positions of the captions that have it and that one item
            alone has: takes sound alike whatever is said of them; by default as much as any other.

    Attributes:
        texts: the captions, normalised.
    """

    def __init__(
        self,
        ids: Iterable[str],
        captions: Iterable[str],
        sound: Callable[[Sequence[int]], WordSound] = _any_sound,
    ) -> None:
        self.texts = [normalised(caption) for caption in captions]
        self._first: dict[str, dict[str, int]] = {}
        for position, (item, text) in enumerate(zip(ids, self.texts, strict=True)):
            self._first.setdefault(text, {}).setdefault(item, position)
        self._sound = sound
        self._weight: dict[str, float] = {}
        self._direction: dict[str, np.ndarray] = {}

    def positions(self, caption: str) -> list[int]:
        """The items with this caption: the first position of each."""
        return list(self._first.get(normalised(caption), {}).values())

    def sharing(self, caption: str, most: int | None = None) -> list[int]:
        """The positions whose captions share words with one, by `shares`, the largest first, then in order.

        Args:
            caption: any.
            most: how many to name, at most; None for all that share anything.
        """
        shares = np.zeros(len(self.texts))
        for word, share in self._share_of_each_word(caption).items():
            shares[self._positions_of(word)] += share
        found = np.flatnonzero(shares)
        if most is not None and len(found) > most:
            found = found[shares[found] >= np.partition(shares[found], -most)[-most]]
        order = np.argsort(-shares[found], kind="stable")
        named: list[int] = found[order][:most].tolist()
        return named

    def sounds(self, captions: Sequence[str]) -> np.ndarray:
        """Which way the sounds lie that captions are said of, by their words alone [captions, dimension].

        The sum of their words' directions, each by its rarity, made of unit length; 0 where no word tells.
        """
        words = [sorted({*normalised(caption).split()}) for caption in captions]
        self._look_up(word for each in words for word in each)
        nowhere = np.zeros_like(self._sound([]).direction)
        sums = np.array([sum((self._direction[word] for word in each), nowhere) for each in words])
        unit: np.ndarray = sums / np.maximum(np.linalg.norm(sums, axis=-1, keepdims=True), 1e-9)
        return unit

    @cached_property
    def single(self) -> np.ndarray:
        """The first position of each caption that one item alone has, int64."""
        firsts = [[*items.values()] for text, items in self._first.items() if text]
        return np.array([first[0] for first in firsts if len(first) == 1], dtype=np.int64)

    @cached_property
    def _is_single(self) -> np.ndarray:
        """Of each position whether it is one of `single`."""
        return np.isin(np.arange(len(self.texts)), self.single)

    def shares(self, captions: Sequence[str], positions: Sequence[int]) -> np.ndarray:
        """What part of each caption's words each of these positions has, 0 to 1 [captions, positions].

        A word counts by its rarity, `log((N + 1) / (n + 1))` where `n` of `N` items have it (Sparck Jones
        1972, doi:10.1108/eb026526), times how much it says of the sound: the name of an instrument says more
        than "played", and more than "by the sea".
        """
        parts = [self._share_of_each_word(caption) for caption in captions]
        texts = [{*self.texts[position].split()} for position in positions]
        return np.array(
            [[sum(part[word] for word in text & part.keys()) for text in texts] for part in parts]
        )

    def having(self, word: str) -> int:
        """How many different captions have a word: repetitions of one caption make no word common."""
        return len({self.texts[position] for position in self._having.get(normalised(word), ())})

    def _share_of_each_word(self, caption: str) -> dict[str, float]:
        """What part of a caption each of its words is; empty where none says anything."""
        words = sorted({*normalised(caption).split()})
        self._look_up(words)
        whole = sum(self._weight[word] for word in words)
        return {word: self._weight[word] / whole for word in words} if whole > 0 else {}

    @cached_property
    def _having(self) -> dict[str, array[int]]:
        """The positions of the captions that have each word, in order."""
        having: dict[str, array[int]] = {}
        for position, text in enumerate(self.texts):
            for word in {*text.split()}:
                having.setdefault(word, array("q")).append(position)
        return having

    def _positions_of(self, word: str) -> np.ndarray:
        """Those of the captions that have a word, int64."""
        return np.array(self._having.get(word, ()), dtype=np.int64)

    def _look_up(self, words: Iterable[str]) -> None:
        """Find what each of these words counts for; known ones stay."""
        for word in {*words} - self._weight.keys():
            having = self._positions_of(word)
            said = self._sound(having[self._is_single[having]].tolist())
            rarity = math.log((len(self.texts) + 1) / (len(having) + 1))
            self._weight[word] = rarity * (said.consistency + LEAST)
            self._direction[word] = rarity * said.direction

    def alone(self, position: int) -> bool:
        """Whether no other item has the caption of this one, and it says anything."""
        text = self.texts[position]
        return bool(text) and len(self._first[text]) == 1
