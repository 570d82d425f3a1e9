"""What a detour tries, one after the other, until the gate shuts: captions, and how much of the prompt."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

BLENDED = 4
"""How many captions are tried with some of the prompt before any is tried alone."""

Fallback = tuple[int | None, float]
"""Position of the caption that takes the prompt's place, None for no caption, and the prompt's weight."""
NOTHING: Fallback = (None, 0.0)
"""The last that is tried, when every caption has left the gate open."""


def search(fallbacks: Callable[[], Sequence[int]], most: int) -> Generator[Fallback | None, bool | None]:
    """What to try one after the other, each answered with whether the gate is still open.

    None says that the last one answered with false is what was looked for, or that nothing is left to try; to
    go on from there says that the gate has opened again. A weight is looked for by halves, since a larger one
    leaves the gate open where a smaller one does.

    Args:
        fallbacks: positions of the captions that are tried, in this order, before no caption; asked once
            something is to be tried.
        most: largest weight of the prompt, in tenths.
    """
    items = [*fallbacks()]
    for item in items[:BLENDED]:
        highest = most
        while highest > 0:
            shut, unsure = 0, highest
            while shut < unsure:
                middle = (shut + unsure + 1) // 2
                if (yield item, middle / 10):
                    unsure = middle - 1
                else:
                    shut = middle
            if shut > 0:
                yield None
            highest = shut - 1
    alone: list[int | None] = [*items, None]
    for last in alone:
        if not (yield last, 0.0):
            yield None
    while True:
        yield None
