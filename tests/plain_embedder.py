"""An embedder without a model, for tests that need one of known numbers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from unheard.embedders.clap import window_starts


@dataclass
class PlainEmbedder:
    """An `unheard.embedders.Embedder` of the mean square and the mean of a sound.

    A subclass may say otherwise in `vectors`: sounds [n, samples] of any length to vectors [n, dimension].
    """

    name: str = "plain"
    dimension: int = 2
    sample_rate: int = 16_000
    window: float = 1.0
    batch: int = 4
    revision: str | None = None
    sha256: str | None = None

    def vectors(self, sounds: Tensor) -> Tensor:
        return torch.stack([sounds.square().mean(dim=1), sounds.mean(dim=1)], dim=1)

    @property
    def window_samples(self) -> int:
        return round(self.window * self.sample_rate)

    def embed_audio(self, waveform: Tensor, sample_rate: int) -> Tensor:
        return F.normalize(self.vectors(waveform.mean(dim=1)), dim=1)

    def embed_windows(self, waveform: Tensor, sample_rate: int) -> tuple[Tensor, Tensor]:
        starts = self.window_starts(waveform.shape[-1])
        windows = [self.fill(waveform.mean(dim=0)[start : start + self.window_samples]) for start in starts]
        return torch.tensor(starts, dtype=torch.float64) / sample_rate, self.embed_batch(torch.stack(windows))

    def embed_text(self, texts: list[str]) -> Tensor:
        raise NotImplementedError("it reads nothing")

    def window_starts(self, length: int) -> list[int]:
        return window_starts(length, self.window_samples)

    def fill(self, window: Tensor) -> Tensor:
        return F.pad(window, (0, self.window_samples - len(window)))

    def embed_batch(self, windows: Tensor) -> Tensor:
        return F.normalize(self.vectors(windows), dim=1)
