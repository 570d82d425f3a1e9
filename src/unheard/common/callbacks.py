"""What is raised while a C library calls Python: it cannot pass it on, so Python prints it and goes on.

libsndfile asks Python for the bytes of a sound. A Ctrl-C in such a moment would be lost, and the sound that
was being read would look damaged; so would one whose disk fails.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def raised_afterwards() -> Iterator[None]:
    """Raise at the end what was raised in a callback within, in place of whatever came of that.

    In the main thread alone, which is where interrupts arrive: the hook is the whole process's, and is set
    and taken back by one thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    lost: list[BaseException] = []
    before = sys.unraisablehook

    def keep(unraisable: sys.UnraisableHookArgs) -> None:
        if threading.current_thread() is threading.main_thread() and unraisable.exc_value is not None:
            lost.append(unraisable.exc_value)
        else:
            before(unraisable)

    sys.unraisablehook = keep
    try:
        yield
    finally:
        sys.unraisablehook = before
        if lost:
            raise lost[0]
