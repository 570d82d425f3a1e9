"""The heap of a long build: holes between what stays are given back, at intervals."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_world import build_tiny_clap

from unheard.embedders import load_embedder
from unheard.index import build
from unheard.index.building import heap, windows
from unheard.index.building.heap import Heap

BLOCK, BLOCKS = 100_000, 800
"""Smaller than what glibc maps by itself, and 80 MB together."""


needs_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can trim its heap")


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def holes() -> Iterator[int]:
    """A heap in which every second of many blocks was freed; gives the number of bytes freed."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.restype, libc.free.argtypes = None, [ctypes.c_void_p]
    blocks = [libc.malloc(BLOCK) for _ in range(BLOCKS)]
    for block in blocks:
        ctypes.memset(block, 1, BLOCK)
    for block in blocks[::2]:
        libc.free(block)
    yield BLOCK * BLOCKS // 2
    for block in blocks[1::2]:
        libc.free(block)


@needs_glibc
def test_holes_are_given_back_but_not_all_the_time(holes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    trimmed = Heap()
    before = resident()
    assert not trimmed.trim()  # it has just begun
    assert resident() > before - holes // 2
    monkeypatch.setattr(heap, "SECONDS_BETWEEN_TRIMS", 0.0)
    assert trimmed.trim()
    assert resident() < before - 0.8 * holes


def test_without_malloc_trim_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    monkeypatch.setattr(heap, "SECONDS_BETWEEN_TRIMS", 0.0)
    assert not Heap().trim()


def test_a_build_trims_after_every_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting(Heap):
        calls = 0

        def trim(self) -> bool:
            self.calls += 1
            return super().trim()

    embedder = load_embedder(build_tiny_clap(tmp_path / "clap"))
    counting, count = Counting(), embedder.batch + 1
    monkeypatch.setattr(windows, "HEAP", counting)
    for number in range(count):
        samples = np.random.default_rng(number).uniform(-0.5, 0.5, 4000)
        soundfile.write(tmp_path / f"{number}.wav", samples, 16_000)
    built = build(tmp_path, tmp_path / "index", embedder=embedder, workers=0)
    assert built.added == count
    assert counting.calls == 2
