"""Which items of a training set have the same caption, or share words of one.

Case, punctuation and spacing aside.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence

LEAST = 0.01
"""What a word counts for that says nothing of how a sound sounds, beside 1 for one that says all."""


def normalised(caption: str) -> str:
    """Compatibility characters unified, casefolded, words without punctuation and one space between them."""
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", caption).casefold()))


class Captions:
    """The captions of an index, to look up positions by.

    Args:
        ids, captions: of each position; an item has several where it is long.
        consistency: how much a word says of the sound, 0 to 1, by the positions of the captions that have it,
            each caption once; by default as much as any other.

    Attributes:
        texts: the captions, normalised.
    """

    def __init__(
        self,
        ids: Iterable[str],
        captions: Iterable[str],
        consistency: Callable[[Sequence[int]], float] = lambda positions: 1.0,
    ) -> None:
        self.texts = [normalised(caption) for caption in captions]
        self._first: dict[str, dict[str, int]] = {}
        for position, (item, text) in enumerate(zip(ids, self.texts, strict=True)):
            self._first.setdefault(text, {}).setdefault(item, position)
        self._consistency = consistency
        self._having: dict[str, list[int]] = {}
        self._weight: dict[str, float] = {}

    def positions(self, caption: str) -> list[int]:
        """The items with this caption: the first position of each."""
        return list(self._first.get(normalised(caption), {}).values())

    def sharing(self, caption: str) -> dict[int, float]:
        """By position, what part of a caption's words each other caption has, 0 to 1; only those with any.

        A word counts by its rarity, `log((N + 1) / (n + 1))` where `n` of `N` items have it (Sparck Jones
        1972, doi:10.1108/eb026526), times how much it says of the sound: the name of an instrument says more
        than "played", and more than "by the sea".
        """
        words = set(normalised(caption).split())
        self._look_up(words)
        weight = {word: self._weight[word] for word in words}
        whole = sum(weight.values())
        shares: dict[int, float] = {}
        for word in words if whole > 0 else ():
            for position in self._having[word]:
                shares[position] = shares.get(position, 0.0) + weight[word] / whole
        return shares

    def having(self, word: str) -> int:
        """How many different captions have a word: repetitions of one caption make no word common."""
        text = normalised(word)
        self._look_up({text})
        return len({self.texts[position] for position in self._having[text]})

    def _look_up(self, words: set[str]) -> None:
        """Find which items have each of these words, and what each counts for; known ones stay."""
        new = words - self._having.keys()
        if not new:
            return
        self._having |= {word: [] for word in new}
        for position, text in enumerate(self.texts):
            for word in new.intersection(text.split()):
                self._having[word].append(position)
        for word in new:
            having = self._having[word]
            once = {self.texts[position]: position for position in reversed(having)}
            rarity = math.log((len(self.texts) + 1) / (len(having) + 1))
            self._weight[word] = rarity * (self._consistency(sorted(once.values())) + LEAST)

    def alone(self, position: int) -> bool:
        """Whether no other item has the caption of this one, and it says anything."""
        text = self.texts[position]
        return bool(text) and len(self._first[text]) == 1
