"""A backbone unlike Stable Audio in everything that guidance might take for granted.

Latents are `[8, frames, bands]` with time in the middle, as of a mel autoencoder; its conditioning is three
tensors, one of them a mask. What it says of a prompt is drawn from the prompt's letters; a prompt in
`memorised` brings back a recording, whatever the noise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from unheard import audio
from unheard.backbones.base import Backbone

RATE = 16_000
HOP, CHANNELS, FRAMES, BANDS = 320, 8, 40, 16
TOKENS, DIMENSION = 6, 12
GAIN = 8.0
"""So that latents of white noise at half of full scale have a deviation of about 2."""


@dataclass(frozen=True, eq=False)
class ToyConditioning:
    """Text states [batch, tokens, dimension], which of them count [batch, tokens], timing [batch, 2]."""

    text: Tensor
    mask: Tensor
    timing: Tensor

    def __len__(self) -> int:
        return len(self.text)

    @classmethod
    def cat(cls, parts: Sequence[ToyConditioning]) -> ToyConditioning:
        return cls(*(torch.cat(some) for some in zip(*(part._tensors() for part in parts), strict=True)))

    def select(self, samples: Sequence[int]) -> ToyConditioning:
        return ToyConditioning(*(tensor[list(samples)] for tensor in self._tensors()))

    def blended(self, other: ToyConditioning, weight: float) -> ToyConditioning:
        """Where only one of both has a token, it counts as much as that one's share."""
        return ToyConditioning(
            *(
                weight * mine + (1 - weight) * theirs
                for mine, theirs in zip(self._tensors(), other._tensors(), strict=True)
            )
        )

    @property
    def text_states(self) -> Tensor:
        return self.text

    def with_text_states(self, states: Tensor) -> ToyConditioning:
        return replace(self, text=states)

    def _tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.text, self.mask, self.timing


@dataclass
class ToyBackbone(Backbone):
    """See `unheard.Backbone`; `memorised` are recordings by the prompts that bring them back."""

    memorised: dict[str, Path] = field(default_factory=dict)
    name: str = "toy"
    sample_rate: int = RATE
    audio_channels: int = 1
    max_duration: float = FRAMES * HOP / RATE
    latent_shape: tuple[int, ...] = (CHANNELS, FRAMES, BANDS)
    time_axis: int = -2
    device, dtype, fingerprint = torch.device("cpu"), torch.float32, None

    def __post_init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self._to_latents = torch.randn(DIMENSION, CHANNELS * BANDS, generator=generator) / DIMENSION**0.5
        self._rhythm = torch.randn(FRAMES, generator=generator)
        # An orthogonal map, so that encoding is the way back of decoding.
        square = torch.randn(HOP, HOP, generator=generator)
        self._frame = torch.linalg.qr(square).Q[: CHANNELS * BANDS]
        self._memory = [self.encode_audio(self._read(path))[0] for path in self.memorised.values()]

    def frames(self, duration: float) -> int:
        return min(-(-round(duration * RATE) // HOP), FRAMES)

    def encode(
        self, prompts: Sequence[str], seconds_start: Sequence[float], seconds_total: Sequence[float]
    ) -> ToyConditioning:
        text = torch.stack([self._states(prompt) for prompt in prompts])
        counts = [min(len(prompt.split()), TOKENS) for prompt in prompts]
        mask = torch.stack([(torch.arange(TOKENS) < count).float() for count in counts])
        return ToyConditioning(text, mask, torch.tensor([*zip(seconds_start, seconds_total, strict=True)]))

    def encode_unconditional(
        self,
        negative_prompts: Sequence[str | None],
        seconds_start: Sequence[float],
        seconds_total: Sequence[float],
    ) -> ToyConditioning:
        told = self.encode([prompt or "" for prompt in negative_prompts], seconds_start, seconds_total)
        given = torch.tensor([prompt is not None for prompt in negative_prompts]).float()
        return replace(told, mask=told.mask * given[:, None])

    def denoise(self, x: Tensor, sigma: Tensor, conditioning: ToyConditioning) -> Tensor:
        """What the text says, more of it the more noise there is; a memorised prompt says a recording."""
        weight = conditioning.mask[..., None]
        states = (conditioning.text * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)
        said = (states @ self._to_latents).unflatten(1, (CHANNELS, 1, BANDS)) * self._rhythm[:, None]
        for prompt, latents in zip(self.memorised, self._memory, strict=True):
            own = self._states(prompt)[: len(prompt.split())].mean(dim=0)
            likeness = torch.cosine_similarity(states, own[None], dim=1)
            recalled = torch.sigmoid(40 * (likeness - 0.8))[:, None, None, None]
            said = (1 - recalled) * said + recalled * latents
        share = (1 / (1 + sigma**2))[:, None, None, None]
        return share * x + (1 - share) * said

    def encode_audio(self, waveform: Tensor) -> Tensor:
        frames = -(-waveform.shape[-1] // HOP)
        padded = torch.nn.functional.pad(waveform, (0, frames * HOP - waveform.shape[-1]))
        coded = padded.mean(dim=1).unflatten(1, (frames, HOP)) @ self._frame.T * GAIN
        return coded.unflatten(2, (CHANNELS, BANDS)).transpose(1, 2)

    def decode(self, latents: Tensor) -> Tensor:
        return (latents.transpose(1, 2).flatten(2) @ self._frame / GAIN).flatten(1)[:, None]

    def _read(self, path: Path) -> Tensor:
        waveform, rate = audio.read(path)
        return audio.resample(waveform, rate, RATE)[None, :, : FRAMES * HOP]

    def _states(self, prompt: str) -> Tensor:
        rows = []
        for word in (prompt.split() + [""] * TOKENS)[:TOKENS]:
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:6], "big")
            rows.append(torch.randn(DIMENSION, generator=torch.Generator().manual_seed(seed)))
        return torch.stack(rows)
