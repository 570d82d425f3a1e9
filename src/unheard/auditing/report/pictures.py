"""Spectrograms and similarity matrices as PNG files of one byte a pixel, small enough to travel in a page."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from torch import Tensor

from unheard.figures.spectrogram import COLUMNS, brightness

LARGEST = COLUMNS
"""Pixels along time at most; what is longer is drawn coarser."""

LEVELS = 256
"""Steps of brightness that a pixel of one byte can have."""

# Eight-step anchors of the colour map "magma" (van der Walt and Smith 2015, CC0): even steps of lightness, so
# that it reads the same in grey and with colour-blind eyes.
_ANCHORS = ((0, 0, 4), (28, 16, 68), (79, 18, 123), (129, 37, 129), (181, 54, 122), (229, 80, 100),
            (251, 135, 97), (254, 194, 135), (252, 253, 191))  # fmt: skip
PALETTE = np.stack(
    [np.interp(np.linspace(0, 8, 256), np.arange(9), channel) for channel in np.transpose(_ANCHORS)], axis=1
).astype(np.uint8)


def spectrogram(waveform: Tensor, sample_rate: int, *, largest: int = LARGEST, levels: int = LEVELS) -> bytes:
    """A PNG of a waveform [channels, time], `BANDS` rows evenly spaced in octaves, low notes at the bottom.

    See `unheard.figures.spectrogram.brightness`. There are `largest` columns at most, and `levels` of
    brightness.
    """
    return png(brightness(waveform, sample_rate, columns=largest)[::-1], levels)


def matrix(values: np.ndarray, *, largest: int = LARGEST, levels: int = LEVELS) -> bytes:
    """A PNG of a matrix of numbers from 0 (black) to 1; the largest of its neighbours stands for many."""
    for axis in (0, 1):
        step = -(-values.shape[axis] // largest)
        starts = np.arange(0, values.shape[axis], step)
        values = np.maximum.reduceat(values, starts, axis=axis)
    return png(np.clip(values, 0, 1), levels)


def png(values: np.ndarray, levels: int = LEVELS) -> bytes:
    """A PNG of numbers from 0 to 1 [rows, columns] in the colours of `PALETTE` (W3C, PNG, third edition).

    Fewer `levels` make a smaller file; `LEVELS` is all that a byte holds.
    """
    rows, columns = values.shape
    pixels = np.zeros((rows, columns + 1), np.uint8)  # the first byte of a row names its filter: none
    pixels[:, 1:] = np.round(np.round(values * (levels - 1)) * ((LEVELS - 1) / (levels - 1)))
    header = struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)  # 8 bits, by palette, not interlaced
    chunks = ((b"IHDR", header), (b"PLTE", PALETTE.tobytes()), (b"IDAT", zlib.compress(pixels.tobytes())),
              (b"IEND", b""))  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )
