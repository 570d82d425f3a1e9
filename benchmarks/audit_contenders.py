"""What the audit is compared with: each gives a pair of sounds one number, higher where they are more alike.

chromaprint  fingerprints of libchromaprint; the best run of agreeing bits on any diagonal
log-mel      correlation at the best time shift (`lab.likeness`)
clap         the highest cosine between windows of the bundled guide
aisfx        the highest cosine between windows of the bundled embedder of sound effects
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from lab import likeness
from lab.alterations import SAMPLE_RATE, at_rate
from unheard.auditing import alignment
from unheard.backbones.hub import ASSETS
from unheard.embedders import load_embedder
from unheard.embedders.sound_effects import bundled

LONGEST = 12.0
"""Seconds to which spectrograms are filled up, or cut."""


@dataclass(frozen=True)
class Measured:
    """What the contenders compute of a sound."""

    chromaprint: np.ndarray
    mel: torch.Tensor
    clap: torch.Tensor
    aisfx: torch.Tensor


@lru_cache(maxsize=1)
def guide() -> Any:
    return load_embedder(ASSETS / "tiny" / "guide")


@torch.no_grad()
def measure(sound: np.ndarray) -> Measured:
    """Of a sound [time] at `SAMPLE_RATE`."""
    import chromaprint

    printer = chromaprint.Fingerprinter()
    printer.start(SAMPLE_RATE, 1)
    printer.feed((sound.clip(-1, 1) * 32767).astype("<i2").tobytes())
    integers, _ = chromaprint.decode_fingerprint(printer.finish())
    length = round(LONGEST * SAMPLE_RATE)
    filled = np.pad(sound, (0, max(0, length - len(sound))))[:length]
    waveform = torch.from_numpy(np.ascontiguousarray(sound, np.float32))[None]
    return Measured(
        np.array(integers, np.int64).astype(np.uint32),
        likeness.log_mel(torch.from_numpy(at_rate(filled, SAMPLE_RATE, likeness.SAMPLE_RATE))[None]),
        guide().embed_windows(waveform, SAMPLE_RATE)[1],
        torch.nn.functional.normalize(bundled().embed_windows(waveform, SAMPLE_RATE)[1], dim=-1),
    )


def compare(query: Measured, others: list[Measured]) -> list[dict[str, float]]:
    """A sound with each of some others, as each contender has it."""
    mels = torch.cat([other.mel for other in others])
    correlations = likeness.correlations(query.mel, mels, LONGEST)[0]
    return [
        {
            "chromaprint": _agreement(query.chromaprint, other.chromaprint),
            "log-mel": float(correlation),
            "clap": float((query.clap @ other.clap.T).max()),
            "aisfx": float((query.aisfx @ other.aisfx.T).max()),
        }
        for other, correlation in zip(others, correlations, strict=True)
    ]


def _agreement(one: np.ndarray, other: np.ndarray) -> float:
    if not len(one) or not len(other):
        return 0.0
    agreement = 1 - np.bitwise_count(one[:, None] ^ other) / 32
    return float(alignment.best_sums((agreement - 0.65).astype(np.float32)).max())


CONTENDERS = ("chromaprint", "log-mel", "clap", "aisfx")
