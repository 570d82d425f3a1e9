"""Memory that nothing uses any more, given back to the system; and memory that does not suffice."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from unheard.errors import InputError

_EXHAUSTED = ("out of memory", "can't allocate memory", "not enough memory")
"""How torch's allocators, and Python's own, say that there is no memory left."""


def is_exhausted(error: BaseException) -> bool:
    """Whether an error says that there is no memory left, whichever allocator raised it."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(phrase in said for phrase in _EXHAUSTED)


@contextmanager
def sufficing_for(what: str) -> Iterator[None]:
    """Turn what any allocator raises in the block into one error about `what` was read in it.

    Raises:
        InputError: the memory does not suffice.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_exhausted(error):
            raise
        raise InputError(f"{what} takes more memory than there is: cut it into shorter ones") from error


def give_back() -> None:
    """Give the system what the process has freed, where the C library is glibc; elsewhere do nothing.

    glibc keeps what was freed for the next that asks, in several arenas that threads share: a server whose
    work is done in many threads comes to hold several times what it uses.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    """glibc's `malloc_trim`; None for another C library."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
    trim.argtypes, trim.restype = [ctypes.c_size_t], ctypes.c_int
    found: Callable[[int], int] = trim
    return found
