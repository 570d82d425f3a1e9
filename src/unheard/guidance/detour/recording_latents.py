"""Recordings as a model's autoencoder sees them, encoded once.

Latents are kept by the content of the recording: those of the recordings that a model brings lie in its
folder, those of any others in the user's cache.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from unheard import audio
from unheard.backbones import Backbone
from unheard.common.files import cache_folder, sha256, write_whole
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
        self._said = False

    @cached_property
    def _own(self) -> dict[str, Tensor]:
        return load_file(self._packed) if self._packed is not None and self._packed.is_file() else {}

    def of(self, path: Path) -> Tensor:
        """Latents [channels, frames], float32, on the model's device.

        Raises:
            InputError: the recording cannot be read.
        """
        if path not in self._held:
            self._held[path] = self._kept(path).to(self._backbone.device, torch.float32)
        return self._held[path]

    def keep(self, path: Path) -> bool:
        """Make and keep what `of` will give, unless it is kept; whether it had to be made.

        Raises:
            InputError: the recording cannot be read, the latents cannot be written, or the model was not
                loaded from a folder: nothing would tell its latents from another's.
        """
        content = sha256(path)
        if content in self._own:
            return False
        file = self._file(content)
        if file is None:
            raise InputError(f"{self._backbone.name} was not loaded from a folder: its latents are not kept")
        if file.is_file():
            return False
        _write(file, self._encoded_to_keep(path))
        return True

    def _kept(self, path: Path) -> Tensor:
        content = sha256(path)
        if content in self._own:
            return self._own[content]
        file = self._file(content)
        if file is not None and file.is_file():
            return load_file(file)["latents"]
        latents = self._encoded_to_keep(path)
        if file is not None:
            try:
                _write(file, latents)
            except InputError as error:
                self._say_once(f"latents are made anew each time, since they cannot be kept: {error}")
        return latents

    def _file(self, content: str) -> Path | None:
        """Where the latents of a recording are kept; None if nothing tells this model from any other."""
        fingerprint = self._backbone.fingerprint
        if fingerprint is None:
            return None
        return cache_folder("latents") / fingerprint.rpartition(":")[2][:16] / f"{content}.safetensors"

    def _encoded_to_keep(self, path: Path) -> Tensor:
        return self.encoded(path).half().contiguous()

    def _say_once(self, warning: str) -> None:
        if not self._said:
            self._said = True
            warnings.warn(warning, stacklevel=2)

    @torch.no_grad()
    def encoded(self, path: Path) -> Tensor:
        """The autoencoder's answer to a recording at the model's rate and channels."""
        waveform, rate = audio.read(path)
        sound = audio.resample(waveform, rate, self._backbone.sample_rate)
        channels = self._backbone.audio_channels
        if len(sound) != channels:
            sound = sound.mean(dim=0, keepdim=True).expand(channels, -1)
        return self._backbone.encode_audio(sound[None])[0].cpu()


def _write(file: Path, latents: Tensor) -> None:
    """Keep latents.

    Raises:
        InputError: nothing can be written there.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot make the folder {file.parent}: {error.strerror or error}; "
            "name another place (XDG_CACHE_HOME)"
        ) from error
    write_whole(file, save({"latents": latents}))
