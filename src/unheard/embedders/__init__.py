"""Embedders: a sound, or a text, becomes a unit vector; the cosine of two of them says how alike they are.

`Embedder` is what the rest of the package asks of one, and `load_embedder` finds one by name. `clap` holds
CLAP, `mel` its spectrogram; `sound_effects` an embedder without texts, which only audits. No torch in this
file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from unheard.backbones.hub import ASSETS

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["BUNDLED_EMBEDDER", "DEFAULT_EMBEDDER", "Embedder", "load_embedder"]

DEFAULT_EMBEDDER = "laion/clap-htsat-unfused"
"""LAION-CLAP without fusion, the embedder of the published anti-memorization guidance."""
BUNDLED_EMBEDDER = ASSETS / "tiny" / "guide"
"""The embedder of the bundled model, which needs no network."""


class Embedder(Protocol):
    """A fixed map from sounds and texts to unit vectors; its parameters take no gradient.

    Attributes:
        name: what an index records about the embedder that made it.
        revision: commit on the hub, if it came from there.
        sha256: checksum of its weights; None if they came from no file.
        dimension: length of an embedding.
        sample_rate: of what it embeds, in hertz; waveforms of other rates are resampled.
        window: seconds embedded at once; a longer sound is embedded in overlapping windows.
        window_samples: the same in samples.
        batch: how many windows `embed_batch` embeds at once.
    """

    @property
    def name(self) -> str: ...

    @property
    def revision(self) -> str | None: ...

    @property
    def sha256(self) -> str | None: ...

    @property
    def dimension(self) -> int: ...

    @property
    def sample_rate(self) -> int: ...

    @property
    def window(self) -> float: ...

    @property
    def window_samples(self) -> int: ...

    @property
    def batch(self) -> int: ...

    def embed_audio(self, waveform: Tensor, sample_rate: int) -> Tensor:
        """Waveforms [batch, channels, time] to unit vectors [batch, dimension]; differentiable.

        Channels are averaged, and each sound is divided by its own peak: level and panning do not count.
        What a sound gives does not depend on the others of the batch.
        """
        ...

    def embed_windows(self, waveform: Tensor, sample_rate: int) -> tuple[Tensor, Tensor]:
        """One waveform [channels, time] to its windows' starts in seconds and their unit vectors.

        Returns:
            Starts [windows], float64, and vectors [windows, dimension].
        """
        ...

    def embed_text(self, texts: list[str]) -> Tensor:
        """Texts to unit vectors [batch, dimension]; without gradient."""
        ...

    def window_starts(self, length: int) -> list[int]:
        """First samples of the windows of a sound that is `length` samples long at `sample_rate`."""
        ...

    def fill(self, window: Tensor) -> Tensor:
        """A sound [time] of at most `window_samples`, filled up to it as the embedder was trained."""
        ...

    def embed_batch(self, windows: Tensor) -> Tensor:
        """Windows [n, window_samples], mono and at peak 1, to unit vectors [n, dimension].

        n is at most `batch`; a window's vector is the same to the last bit wherever it stands.
        """
        ...


def load_embedder(
    name_or_folder: str | Path = DEFAULT_EMBEDDER,
    *,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
) -> Embedder:
    """Load a CLAP from a folder that transformers wrote, or from the Hugging Face hub.

    A folder is loaded without any network; the hub is asked only for what is not in its cache. Only
    safetensors files are read, nothing is ever unpickled. One that comes with the package is read when
    something is first embedded.

    Args:
        name_or_folder: a folder, or an id on the hub.
        device: where the model runs.
        dtype: precision of the model, None for float32; the spectrogram before it is always computed in full
            precision.

    Raises:
        ModelError: it is missing, gated, out of reach, incomplete or not a CLAP; says what to do.
    """
    from unheard.embedders.clap import BundledClap, ClapEmbedder

    folder = Path(name_or_folder).resolve()
    if folder.is_relative_to(ASSETS.resolve()) and os.path.isdir(folder):
        return BundledClap(folder, device=device, dtype=dtype)
    return ClapEmbedder.load(name_or_folder, device=device, dtype=dtype)
