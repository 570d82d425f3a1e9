"""One entry of a training-set file, from its text."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import orjson

EMBEDDING_FIRST = re.compile(r'\{[ \t\n\r]*"embedding"[ \t\n\r]*:[ \t\n\r]*\[')
OTHER_KEYS = re.compile(r'[ \t\n\r]*,[ \t\n\r]*(?=")')
USUAL_LENGTH = 4096
"""Characters of an entry beside its numbers, in nearly all files."""


class AmbiguousObject(dict[str, Any]):
    """A JSON object in which a key occurs twice; `key` is the first such key."""

    key: str


class EntryDecoder:
    """Reads entries as the standard library does, and the numbers of most at four times its speed.

    Where an entry begins with its embedding, as the published files' do, orjson reads these numbers, to the
    same bits. Whatever else there is, and whatever is wrong, is left to the standard library.

    Attributes:
        ambiguous: the objects read so far in which a key occurs twice.
    """

    def __init__(self) -> None:
        self.ambiguous: list[AmbiguousObject] = []
        self._library = json.JSONDecoder(object_pairs_hook=self._object)

    def raw_decode(self, text: str, position: int) -> tuple[Any, int]:
        """The value that begins at a position of the text, and where it ends; as `json.JSONDecoder` does."""
        return self._usual_entry(text, position) or self._library.raw_decode(text, position)

    def _usual_entry(self, text: str, position: int) -> tuple[dict[str, Any], int] | None:
        """The same, where the value is an entry as most are."""
        opening = EMBEDDING_FIRST.match(text, position)
        if opening is None:
            return None
        numbers_end = text.find("]", opening.end()) + 1
        following = OTHER_KEYS.match(text, numbers_end)
        if not numbers_end or following is None:
            return None
        numbers, others = text[opening.end() - 1 : numbers_end], following.end()
        try:
            embedding = np.array(orjson.loads(numbers))
            entry, length = self._library.raw_decode("{" + text[others : others + USUAL_LENGTH])
        except ValueError:  # the library reads it, or says what is wrong
            return None
        # NumPy takes a truth value among numbers for a number.
        if embedding.dtype != np.float64 or "true" in numbers or "false" in numbers or "embedding" in entry:
            return None
        return {"embedding": embedding, **entry}, others + length - 1

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """A JSON object as it is read; one in which a key occurs twice is noted."""
        made = dict(pairs)
        embedding = made.get("embedding")
        # At once, so that a large file is never held as Python's boxed numbers; `_check` turns the others.
        if isinstance(embedding, list) and set(map(type, embedding)) == {float}:
            made["embedding"] = np.array(embedding)
        if len(made) < len(pairs):
            keys = [key for key, _ in pairs]
            made = AmbiguousObject(made)
            made.key = next(key for position, key in enumerate(keys) if key in keys[:position])
            self.ambiguous.append(made)
        return made
