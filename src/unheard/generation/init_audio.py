"""A recording that sounds begin from, in place of pure noise."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unheard import audio
from unheard.backbones.base import Backbone, trim
from unheard.common.files import sha256
from unheard.errors import InputError


@dataclass(frozen=True, eq=False)
class InitAudio:
    """A recording to begin from.

    Attributes:
        waveform: [channels, time], at any rate, in any number of channels.
        sample_rate: Hz.
        path: where it was read from, if it was.
    """

    waveform: Tensor
    sample_rate: int
    path: Path | None = None

    @classmethod
    def of(cls, given: InitAudio | str | Path | tuple[Tensor, int]) -> InitAudio:
        """A file, or a waveform with its rate.

        Raises:
            InputError: it cannot be read, or is neither.
        """
        if isinstance(given, InitAudio):
            return given
        if isinstance(given, str | Path):
            return cls(*audio.read(given), Path(given))
        match given:
            case (Tensor(ndim=1 | 2) as waveform, int(rate)) if rate > 0 and waveform.numel():
                return cls(waveform.reshape(-1, waveform.shape[-1]).float().cpu(), rate)
        raise InputError(
            f"init_audio is {type(given).__name__}: give a file, or a pair of a tensor [channels, time] and "
            "its sample rate"
        )

    @torch.no_grad()
    def latents(self, backbone: Backbone, shape: tuple[int, ...]) -> Tensor:
        """Its latents in the shape of one sample's noise: cut to that length, or followed by silence."""
        sound = audio.resample(self.waveform, self.sample_rate, backbone.sample_rate)
        if len(sound) != backbone.audio_channels:
            sound = audio.to_mono(sound).expand(backbone.audio_channels, -1)
        frames, full = shape[backbone.time_axis], backbone.latent_shape[backbone.time_axis]
        samples = round(frames / full * backbone.max_duration * backbone.sample_rate)
        sound = torch.nn.functional.pad(sound, (0, max(samples - sound.shape[-1], 0)))[:, :samples]
        encoded = trim(backbone.encode_audio(sound[None]), frames, backbone.time_axis)[0]
        lacking = frames - encoded.shape[backbone.time_axis]
        if lacking > 0:
            # An encoder that rounds down leaves less than a frame out: its last one is held.
            last = encoded.narrow(backbone.time_axis, -1, 1)
            encoded = torch.cat([encoded, *[last] * lacking], dim=backbone.time_axis)
        return encoded

    def describe(self, noise_level: float) -> dict[str, Any]:
        """What provenance says of it."""
        given = None if self.path is None else str(self.path.resolve())
        return {"given": given, "sha256": self.sha256, "noise_level": noise_level}

    @cached_property
    def sha256(self) -> str:
        """Checksum of its file, or of its samples; computed once for all sounds that begin from it."""
        if self.path is not None:
            return sha256(self.path)
        return hashlib.sha256(self.waveform.contiguous().numpy().tobytes()).hexdigest()
