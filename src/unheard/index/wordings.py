"""Which items of a training set have the same caption, case, punctuation and spacing aside."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable


def normalised(caption: str) -> str:
    """Compatibility characters unified, casefolded, words without punctuation and one space between them."""
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", caption).casefold()))


class Wordings:
    """Positions of an index by the wording of their captions.

    Args:
        ids, captions: of each position; an item has several where it is long.
    """

    def __init__(self, ids: Iterable[str], captions: Iterable[str]) -> None:
        self._first: dict[str, dict[str, int]] = {}
        for position, (item, caption) in enumerate(zip(ids, captions, strict=True)):
            self._first.setdefault(normalised(caption), {}).setdefault(item, position)

    def positions(self, caption: str) -> list[int]:
        """The items with this caption: the first position of each."""
        return list(self._first.get(normalised(caption), {}).values())

    def alone(self, caption: str) -> bool:
        """Whether one item and no other has this caption, and it says anything."""
        return len(self.positions(caption)) == 1 and bool(normalised(caption))
