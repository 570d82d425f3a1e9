"""Latents of recordings, by the model's own autoencoder; encoded once.

They are found by the content of the recording: of those that a model brings in its folder, of any others in
the user's cache.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from unheard import audio
from unheard.backbones import Backbone
from unheard.common.content_cache import Arrays, ContentCache
from unheard.common.files import sha256
from unheard.errors import InputError

PACKED = "latents.safetensors"
"""In a model's folder: latents [channels, frames] by the SHA-256 of the recordings, float16."""


@dataclass
class Encoded:
    """What came of encoding recordings.

    Attributes:
        made, there: how many were encoded, and how many had been.
        left_out: ids of recordings that cannot be encoded, with the reason.
    """

    made: int = 0
    there: int = 0
    left_out: dict[str, str] = field(default_factory=dict)


def cache_of(backbone: Backbone, kind: str, fits: Callable[[Arrays], bool]) -> ContentCache | None:
    """The cache of what one model makes of recordings; None where nothing tells the model from any other."""
    fingerprint = backbone.fingerprint
    return None if fingerprint is None else ContentCache(kind, fingerprint.rpartition(":")[2][:16], fits=fits)


class RecordingLatents:
    """Latents of recordings under one model.

    Args:
        backbone: the model.
        folder: the model's own, with what it brings; None for none.
    """

    def __init__(self, backbone: Backbone, folder: Path | None = None) -> None:
        self._backbone = backbone
        self._packed = None if folder is None else folder / PACKED
        self._held: dict[Path, Tensor] = {}

    @cached_property
    def _own(self) -> dict[str, Tensor]:
        return load_file(self._packed) if self._packed is not None and self._packed.is_file() else {}

    @cached_property
    def _cache(self) -> ContentCache | None:
        """None where nothing tells this model from any other."""
        return cache_of(self._backbone, "latents", self._fits)

    def of(self, path: Path) -> Tensor:
        """Latents [channels, frames], float32, on the model's device.

        Raises:
            InputError: the recording cannot be read.
        """
        if path not in self._held:
            self._held[path] = self._found(path).to(self._backbone.device, torch.float32)
        return self._held[path]

    def made(self, path: Path) -> tuple[Tensor, bool]:
        """What `of` will give, but on the CPU, made and cached unless it is there; whether it had to be made.

        Raises:
            InputError: the recording cannot be read, the latents cannot be written, or the model was not
                loaded from a folder: nothing would tell its latents from another's.
        """
        content = sha256(path)
        if content in self._own:
            return self._own[content], False
        if self._cache is None:
            raise InputError(f"{self._backbone.name} was loaded from no folder: its latents are not cached")
        if (known := self._cache.read(content)) is not None:
            return torch.from_numpy(known["latents"]), False
        entry = self._entry(path)
        self._cache.write(content, entry)
        return torch.from_numpy(entry["latents"]), True

    def _found(self, path: Path) -> Tensor:
        content = sha256(path)
        if content in self._own:
            return self._own[content]
        if self._cache is None:
            entry = self._entry(path)
        else:
            entry = self._cache.read_or_make(content, lambda: self._entry(path))
        return torch.from_numpy(entry["latents"])

    def _fits(self, entry: Arrays) -> bool:
        """Whether an entry holds latents of this model, up to their length."""
        latents = entry.get("latents")
        return (
            entry.keys() == {"latents"}
            and latents is not None
            and latents.dtype == np.float16
            and latents.ndim == len(self._backbone.latent_shape)
            and bool(np.isfinite(latents).all())
        )

    def _entry(self, path: Path) -> Arrays:
        return {"latents": self.encoded(path).half().contiguous().numpy()}

    @torch.no_grad()
    def encoded(self, path: Path) -> Tensor:
        """The autoencoder's answer to a recording at the model's rate and channels."""
        waveform, rate = audio.read(path)
        sound = audio.resample(waveform, rate, self._backbone.sample_rate)
        channels = self._backbone.audio_channels
        if len(sound) != channels:
            sound = audio.to_mono(sound).expand(channels, -1)
        return self._backbone.encode_audio(sound[None])[0].cpu()
