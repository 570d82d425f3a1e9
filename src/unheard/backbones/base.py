"""What a backbone is: a text-to-audio model taken apart into encode, denoise and decode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Conditioning:
    """What a denoiser is told about each sample of a batch.

    Attributes:
        cross_attention: the sequence that the denoiser attends to, `[batch, tokens, dimension]`.
        global_states: what it is told as a whole, `[batch, 1, dimension]`.
    """

    cross_attention: Tensor
    global_states: Tensor

    def __len__(self) -> int:
        """The number of samples."""
        return self.cross_attention.shape[0]

    @classmethod
    def cat(cls, parts: Sequence[Conditioning]) -> Conditioning:
        """The samples of all parts, one after another."""
        return cls(
            torch.cat([part.cross_attention for part in parts]),
            torch.cat([part.global_states for part in parts]),
        )

    def blended(self, other: Conditioning, share: float) -> Conditioning:
        """Between the two, sample by sample: `share` of this one and the rest of the other, 0 to 1."""
        return Conditioning(
            torch.lerp(other.cross_attention, self.cross_attention, share),
            torch.lerp(other.global_states, self.global_states, share),
        )

    def select(self, samples: Tensor | Sequence[int]) -> Conditioning:
        """The samples with these numbers, in this order; a number may come more than once."""
        chosen = torch.as_tensor(samples, dtype=torch.long, device=self.cross_attention.device)
        return Conditioning(self.cross_attention[chosen], self.global_states[chosen])


class Backbone(Protocol):
    """A text-to-audio diffusion model in variance-exploding coordinates: `x = x0 + sigma * noise`.

    Latents are `[batch, channels, frames]`, float32 whatever the weights are; waveforms are
    `[batch, channels, time]`.

    Attributes:
        name: how the model was named.
        sample_rate: of its waveforms, in hertz.
        audio_channels: 1 or 2.
        hop_length: samples of sound that one frame of latents covers.
        max_duration: the longest sound it can make, in seconds.
        latent_shape: channels and frames of one full-length latent.
        device: where its weights are.
        dtype: of its weights.
        fingerprint: what tells its weights from any others, or None where it was not loaded from files.
    """

    name: str
    sample_rate: int
    audio_channels: int
    hop_length: int
    max_duration: float
    latent_shape: tuple[int, int]

    @property
    def device(self) -> torch.device: ...

    @property
    def dtype(self) -> torch.dtype: ...

    @property
    def fingerprint(self) -> str | None: ...

    def frames(self, duration: float) -> int:
        """How many frames of latents cover `duration` seconds."""
        ...

    def encode(
        self, prompts: Sequence[str], seconds_start: Sequence[float], seconds_total: Sequence[float]
    ) -> Conditioning:
        """The conditioning of each prompt with its timing."""
        ...

    def encode_unconditional(
        self,
        negative_prompts: Sequence[str | None],
        seconds_start: Sequence[float],
        seconds_total: Sequence[float],
    ) -> Conditioning:
        """What classifier-free guidance leads away from: the negative prompt, or nothing where it is None."""
        ...

    def denoise(self, x: Tensor, sigma: Tensor, conditioning: Conditioning) -> Tensor:
        """The estimate of `x0` from `x` at noise level `sigma` (`[batch]`); differentiable in `x`."""
        ...

    def encode_audio(self, waveform: Tensor) -> Tensor:
        """The latents of waveforms `[batch, audio_channels, time]` at `sample_rate`; without gradient."""
        ...

    def decode(self, latents: Tensor) -> Tensor:
        """The waveform of latents of any number of frames; differentiable."""
        ...
