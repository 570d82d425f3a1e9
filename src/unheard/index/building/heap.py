"""Free memory of the C heap, given back to the system while work goes on.

Each batch takes and frees large arrays. Small ones that outlive it, such as embeddings that wait for their
commit, come to lie in the holes; the next large array no longer fits there, and the heap grows although no
more is held. glibc by itself gives back only what is free at the heap's end.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable

SECONDS_BETWEEN_TRIMS = 2.0
"""Of processor time: pages that were given back are filled anew, which would hold up small batches."""


class Heap:
    """The C heap of this process, whose free pages are given back now and then.

    Where the C library has no `malloc_trim` (macOS, Windows, musl), nothing is done.
    """

    def __init__(self) -> None:
        self._malloc_trim = _malloc_trim()
        self._last = time.process_time()

    def trim(self) -> bool:
        """Give the free pages back, unless that was done a moment ago; whether any were."""
        now = time.process_time()
        if self._malloc_trim is None or now - self._last < SECONDS_BETWEEN_TRIMS:
            return False
        self._last = now
        return bool(self._malloc_trim(0))


def _malloc_trim() -> Callable[[int], int] | None:
    """glibc's `malloc_trim(pad)`: gives back free pages wherever they lie, but `pad` bytes at the end."""
    try:
        function = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return None
    function.argtypes, function.restype = [ctypes.c_size_t], ctypes.c_int
    return function


HEAP = Heap()
"""There is one in a process, whoever works in it."""
