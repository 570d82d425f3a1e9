"""What the network of moments is trained on: envelopes of sounds, each in several versions, in one file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Material:
    """Sounds in versions of equal length; the first version is the sound itself.

    Attributes:
        below: decibels below the loudest of its version, uint8 [rows, BANDS]; versions follow one another.
        first: row at which a sound's first version begins [sounds].
        frames: rows of each of its versions [sounds].
        versions: how many it has, two or more [sounds].
        family: whose members are easily taken for one another [sounds].
        piece: whose sounds are never counted as different [sounds].
        real: whether it was recorded, not rendered [sounds].
        alike: pairs of sounds of one family that are too alike to be counted as different [2, pairs].
    """

    below: np.ndarray
    first: np.ndarray
    frames: np.ndarray
    versions: np.ndarray
    family: np.ndarray
    piece: np.ndarray
    real: np.ndarray
    alike: np.ndarray

    def save(self, path: Path) -> None:
        np.savez_compressed(path, **asdict(self))


def load(path: Path) -> Material:
    """What `Material.save` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        return Material(**arrays)
