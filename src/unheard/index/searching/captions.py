"""Which items of a training set have the same caption, case, punctuation and spacing aside."""

from __future__ import annotations

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

    def positions(self, caption: str) -> list[int]:
        """The items with this caption: the first position of each."""
        return list(self._first.get(normalised(caption), {}).values())

    def alone(self, position: int) -> bool:
        """Whether no other item has the caption of this one, and it says anything."""
        text = self.texts[position]
        return bool(text) and len(self._first[text]) == 1
