"""Which items of a training set have the same caption, or share words of one.

Case, punctuation and spacing aside.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable


def normalised(caption: str) -> str:
    """Compatibility characters unified, casefolded, words without punctuation and one space between them."""
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", caption).casefold()))


class Captions:
    """The captions of an index, to look up positions by.

    Args:
        ids, captions: of each position; an item has several where it is long.

    Attributes:
        texts: the captions, normalised.
    """

    def __init__(self, ids: Iterable[str], captions: Iterable[str]) -> None:
        self.texts = [normalised(caption) for caption in captions]
        self._first: dict[str, dict[str, int]] = {}
        for position, (item, text) in enumerate(zip(ids, self.texts, strict=True)):
            self._first.setdefault(text, {}).setdefault(item, position)
        self._having: dict[str, list[int]] = {}

    def positions(self, caption: str) -> list[int]:
        """The items with this caption: the first position of each."""
        return list(self._first.get(normalised(caption), {}).values())

    def sharing(self, caption: str) -> dict[int, float]:
        """By position, what part of a caption's words each other caption has, 0 to 1; only those with any.

        A word counts by its rarity, `log((N + 1) / (n + 1))` where `n` of `N` items have it (Sparck Jones
        1972, doi:10.1108/eb026526): an instrument's name says more than "played".
        """
        words = set(normalised(caption).split())
        self._look_up(words)
        rarity = {word: math.log((len(self.texts) + 1) / (len(self._having[word]) + 1)) for word in words}
        whole = sum(rarity.values())
        shares: dict[int, float] = {}
        for word in words if whole > 0 else ():
            for position in self._having[word]:
                shares[position] = shares.get(position, 0.0) + rarity[word] / whole
        return shares

    def having(self, word: str) -> int:
        """How many different captions have a word: repetitions of one caption make no word common."""
        text = normalised(word)
        self._look_up({text})
        return len({self.texts[position] for position in self._having[text]})

    def _look_up(self, words: set[str]) -> None:
        """Find which items have each of these words; those that were asked for before are known."""
        new = words - self._having.keys()
        if not new:
            return
        self._having |= {word: [] for word in new}
        for position, text in enumerate(self.texts):
            for word in new.intersection(text.split()):
                self._having[word].append(position)

    def alone(self, position: int) -> bool:
        """Whether no other item has the caption of this one, and it says anything."""
        text = self.texts[position]
        return bool(text) and len(self._first[text]) == 1
