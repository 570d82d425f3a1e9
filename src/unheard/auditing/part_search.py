"""What is most like a sound in each part of a catalogue, whose table is too long to be compared at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

BLOCK = 1 << 14
"""Rows of the catalogue's table that are compared at once: few enough for a processor's cache."""


def highest_of_parts(
    compare: Callable[[int, int], np.ndarray], begins: np.ndarray, ends: np.ndarray
) -> np.ndarray:
    """The highest number that each of a sound's rows has in each part of a table.

    Args:
        compare: gives the numbers of a sound's rows and the table's from one to before another [rows, some].
        begins, ends: of each part [parts], in rows of the table; both rising, no part empty, parts may
            overlap.

    Returns:
        [rows, parts].
    """
    blocks: list[np.ndarray] = []
    part = 0
    while part < len(begins):
        # as many parts as a block holds, one at least
        beyond = max(part + 1, int(np.searchsorted(ends, begins[part] + BLOCK, side="right")))
        start, stop = int(begins[part]), int(ends[beyond - 1])
        found = compare(start, stop)
        # reduceat takes pairs of edges, none at the very end: what ends there has the last row besides
        edges = np.stack([begins[part:beyond], ends[part:beyond]], axis=1) - start
        last = edges[:, 1] == stop - start
        highest = np.maximum.reduceat(found, np.minimum(edges, stop - start - 1).ravel(), axis=1)[:, ::2]
        blocks.append(np.where(last, np.maximum(highest, found[:, -1:]), highest))
        part = beyond
    return np.concatenate(blocks, axis=1)
