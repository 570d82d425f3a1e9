"""Spectrograms and similarity matrices as PNG files of one byte a pixel, small enough to travel in a page."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from unheard import audio

LARGEST = 900
"""Pixels along time at most; what is longer is drawn coarser."""

LEVELS = 256
"""Steps of brightness that a pixel of one byte can have."""

BANDS = 128
LOWEST, HIGHEST = 50.0, 16_000.0
"""Band edges of a spectrogram in hertz; a sound that reaches less far is drawn up to half its sample rate."""

RANGE_DB = 70.0

# Eight-step anchors of the colour map "magma" (van der Walt and Smith 2015, CC0): even steps of lightness, so
# that it reads the same in grey and with colour-blind eyes.
_ANCHORS = ((0, 0, 4), (28, 16, 68), (79, 18, 123), (129, 37, 129), (181, 54, 122), (229, 80, 100),
            (251, 135, 97), (254, 194, 135), (252, 253, 191))  # fmt: skip
PALETTE = np.stack(
    [np.interp(np.linspace(0, 8, 256), np.arange(9), channel) for channel in np.transpose(_ANCHORS)], axis=1
).astype(np.uint8)


def top_frequency(sample_rate: int) -> float:
    """The upper edge of a spectrogram, in hertz."""
    return min(HIGHEST, sample_rate / 2)


def spectrogram(waveform: Tensor, sample_rate: int, *, largest: int = LARGEST, levels: int = LEVELS) -> bytes:
    """A PNG of a waveform [channels, time], `BANDS` rows evenly spaced in octaves, low notes at the bottom.

    Brightness is the level in decibels down to `RANGE_DB` below the loudest point. A column stands for the
    same stretch of time everywhere, the last one may reach beyond the end. There are `largest` columns at
    most, and `levels` of brightness.
    """
    mono = audio.to_mono(waveform.float())
    window = 1 << round(np.log2(0.046 * sample_rate))
    hop = max(window // 8, -(-len(mono) // largest))
    mono = F.pad(mono, (0, window))  # at least one frame, however short the sound
    power = (
        torch.stft(
            mono, window, hop, window=torch.hann_window(window), pad_mode="constant", return_complex=True
        )
        .abs()
        .square()[:, : -(-(len(mono) - window) // hop)]
    )

    edges = np.geomspace(LOWEST, top_frequency(sample_rate), BANDS + 1) / sample_rate * window
    below = np.concatenate([np.zeros((1, power.shape[1])), np.cumsum(power.double().numpy(), axis=0)])
    whole = np.minimum(edges.astype(int), len(below) - 2)
    at_edges = below[whole] + (edges - whole)[:, None] * (below[whole + 1] - below[whole])
    bands = np.diff(at_edges, axis=0) / np.diff(edges)[:, None]
    decibels = 10 * np.log10(np.maximum(bands, 1e-12))
    return png(np.clip(1 + (decibels - decibels.max()) / RANGE_DB, 0, 1)[::-1], levels)


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
    chunks = ((b"IHDR", header), (b"PLTE", PALETTE.tobytes()), (b"IDAT", zlib.compress(pixels.tobytes(), 9)),
              (b"IEND", b""))  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )
