"""Memory is given back to the system."""

from __future__ import annotations

import ctypes
import platform
import threading
from pathlib import Path

import pytest

from unheard.common.memory import give_back

PIECE, PIECES = 1 << 15, 2_000


def held() -> int:
    """Bytes that the process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) << 12


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator keeps what is freed")
def test_what_a_thread_has_freed_is_given_back() -> None:
    library = ctypes.CDLL(None)
    library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]

    def use() -> None:
        pieces = [library.malloc(PIECE) for _ in range(PIECES)]
        for piece in pieces:
            ctypes.memset(piece, 1, PIECE)
        for piece in pieces[:-1]:  # the last one keeps what lies before it from going by itself
            library.free(piece)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    before = held()
    give_back()
    assert before - held() > PIECE * PIECES // 2
