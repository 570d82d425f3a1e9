"""Recordings of one kind, as far as captions tell: those that share the most telling word of a caption.

It is the rarest word that enough captions have, such as "cello" in "Solo cello lament in D minor": words that
all have tell nothing, and words that hardly any has, such as "lament", leave nothing to compare with. It is
mostly the instrument; where it is another word, the group is another, and still one of alike captions.
"""

from __future__ import annotations

from collections.abc import Sequence

from unheard.index.searching.captions import normalised

FEWEST = 5
"""Recordings of a group, at least."""


class CaptionGroups:
    """Groups of recordings by their captions.

    Args:
        captions: of each recording; None or empty for one without.
    """

    def __init__(self, captions: Sequence[str | None]) -> None:
        self._all = list(range(len(captions)))
        self._with: dict[str, list[int]] = {}
        for position, caption in enumerate(captions):
            for word in dict.fromkeys(normalised(caption or "").split()):
                self._with.setdefault(word, []).append(position)

    def like(self, caption: str, but: Sequence[int] = ()) -> list[int]:
        """Positions of the recordings of a caption's kind, but for some; all others if it names no kind."""
        words = dict.fromkeys(normalised(caption).split())
        left_out = set(but)
        groups = [[each for each in self._with.get(word, ()) if each not in left_out] for word in words]
        enough = [group for group in groups if len(group) >= FEWEST]
        return min(enough, key=len, default=[each for each in self._all if each not in left_out])
