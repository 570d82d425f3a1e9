"""Embedders: a sound, or a text, becomes a unit vector; the cosine of two of them says how alike they are.

`Embedder` is what the rest of the package asks of one, and `load_embedder` finds one by name. `clap` holds
CLAP, `mel` its spectrogram.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

__all__ = ["DEFAULT_EMBEDDER", "Embedder", "load_embedder"]

DEFAULT_EMBEDDER = "laion/clap-htsat-unfused"
"""LAION-CLAP without fusion, the embedder of the published anti-memorization guidance."""


class Embedder(Protocol):
    """A fixed map from sounds and texts to unit vectors; its parameters take no gradient.

    Attributes:
        name: what an index records about the embedder that made it.
        dimension: length of an embedding.
        sample_rate: rate it hears at, in hertz; waveforms of other rates are resampled.
        window: seconds it hears at once; a longer sound is heard in overlapping windows.
    """

    @property
    def name(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    @property
    def sample_rate(self) -> int: ...

    @property
    def window(self) -> float: ...

    def embed_audio(self, waveform: Tensor, sample_rate: int) -> Tensor:
        """Waveforms [batch, channels, time] to unit vectors [batch, dimension]; differentiable.

        Channels are averaged, and each sound is divided by its own peak: level and panning do not count.
        What a sound gives does not depend on the others of the batch.
        """

    def embed_windows(self, waveform: Tensor, sample_rate: int) -> tuple[Tensor, Tensor]:
        """One waveform [channels, time] to its windows' starts in seconds and their unit vectors.

        Returns:
            Starts [windows], float64, and vectors [windows, dimension].
        """

    def embed_text(self, texts: list[str]) -> Tensor:
        """Texts to unit vectors [batch, dimension]; without gradient."""


def load_embedder(
    name_or_folder: str | Path = DEFAULT_EMBEDDER,
    *,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Embedder:
    """Load a CLAP from a folder that transformers wrote, or from the Hugging Face hub.

    A folder is loaded without any network; the hub is asked only for what is not in its cache. Only
    safetensors files are read, nothing is ever unpickled.

    Args:
        name_or_folder: a folder, or an id on the hub.
        device: where the model runs.
        dtype: precision of the model; the spectrogram before it is always computed in full precision.

    Raises:
        ModelError: it is missing, gated, out of reach, incomplete or not a CLAP; says what to do.
    """
    from unheard.embedders.clap import ClapEmbedder  # transformers takes a second to import

    return ClapEmbedder.load(name_or_folder, device=device, dtype=dtype)
