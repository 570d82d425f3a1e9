"""Sounds to build an index from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000


def noise(seconds: float, seed: int, rate: int = RATE, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (round(seconds * rate), channels))


def write_corpus(folder: Path, count: int = 12) -> Path:
    """Sounds of several lengths, rates and formats, every third with a caption; some beyond a window."""
    for number in range(count):
        path = folder / f"group {number % 3}" / f"sound {number:03d}.{('wav', 'flac', 'ogg')[number % 3]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        rate = (RATE, 44_100, 22_050)[number % 3]
        soundfile.write(path, noise(0.3 + 0.4 * (number % 7), number, rate, 1 + number % 2), rate)
        if number % 3 == 0:
            path.with_suffix(".txt").write_text(f"caption {number}")
    return folder
