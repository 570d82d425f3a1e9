"""A corpus as it lies in its folder, and as training reads it."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from lab.sizes import SAMPLE_RATE


def as_float(samples: np.ndarray) -> torch.Tensor:
    """int16 samples as float32 in -1..1."""
    return torch.from_numpy(samples.astype(np.float32) / 32_768)


class Corpus:
    """Rows and sounds of a folder that `write_whole` wrote; sounds are int16, padded with silence."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[dict] = json.loads((folder / "corpus.json").read_text())

    @cached_property
    def sounds(self) -> np.ndarray:
        """`[sounds, time]`, read as they are asked for."""
        return np.load(self.folder / "sounds.npy", mmap_mode="r")

    def positions(self, *splits: str) -> list[int]:
        return [i for i, row in enumerate(self.rows) if row["split"] in splits]

    @property
    def training(self) -> list[int]:
        """What any network may learn from: everything but the held-out sounds."""
        return self.positions("memorised", "memorised before", "ordinary")

    @property
    def captions(self) -> list[str]:
        """Of the training sounds, one each: what the tokenizers may know."""
        return [self.rows[position]["caption"] for position in self.training]

    @property
    def held_out(self) -> list[int]:
        return self.positions("held out")

    def waveforms(self, positions: list[int]) -> torch.Tensor:
        """`[batch, time]` float32."""
        return as_float(self.sounds[positions])


def as_samples(sound: np.ndarray) -> np.ndarray:
    """A sound as int16: the end faded out, since a cut note would click, and the peak at full scale."""
    fade = np.linspace(1.0, 0.0, SAMPLE_RATE // 50).astype(sound.dtype)
    faded = np.concatenate([sound[: -len(fade)], sound[-len(fade) :] * fade])
    return np.round(faded / max(np.abs(faded).max(), 1e-6) * 32_767).astype(np.int16)


def as_before(row: dict) -> dict:
    """A row of another world's corpus: what was memorised there is "memorised before"."""
    return row | {"split": "memorised before" if row["split"] == "memorised" else row["split"]}


def write_whole(folder: Path, rows: list[dict], sounds: np.ndarray) -> None:
    """Rows and sounds of a corpus; `corpus.json` comes last."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "sounds.npy", sounds)
    (folder / "corpus.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(f"{len(rows)} sounds")
