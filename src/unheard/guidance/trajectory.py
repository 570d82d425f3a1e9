"""What a denoiser is made for: the sounds of a batch on their way, with the model that makes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from unheard.backbones import Backbone, Conditioning
from unheard.embedders import Embedder
from unheard.errors import InputError
from unheard.index import Index
from unheard.request import Batch, Request


@dataclass(frozen=True)
class Trajectory:
    """A batch from noise to sound.

    Attributes:
        backbone: the model.
        embedder_of_model: gives what hears similarity; asked only by kinds that listen, since it is loaded
            then.
        latents_of: a recording's latents [channels, frames].
        request: what was asked for.
        batch: the sounds that are made together.
        conditional, unconditional: conditionings of the prompts and of no prompt, one entry a sound.
    """

    backbone: Backbone
    embedder_of_model: Callable[[], Embedder]
    latents_of: Callable[[Path], Tensor]
    request: Request
    batch: Batch
    conditional: Conditioning
    unconditional: Conditioning

    @property
    def guidance_scale(self) -> float:
        return self.request.sampling.guidance_scale

    @property
    def frames(self) -> int:
        """Frames of latents that the requested duration covers."""
        return self.backbone.frames(self.request.duration)

    @property
    def embedder(self) -> Embedder:
        return self.embedder_of_model()

    @property
    def index(self) -> Index:
        """The training set.

        Raises:
            InputError: there is none.
        """
        if self.request.index is None:
            raise InputError("this guidance needs an index of the training set: give one (--index PATH)")
        return self.request.index

    def decode(self, latents: Tensor) -> Tensor:
        """Latents to the waveform [batch, channels, time] of the requested duration; differentiable."""
        return self.backbone.decode(latents[..., : self.frames])

    def embed(self, waveform: Tensor) -> Tensor:
        """Waveforms at the model's rate to unit vectors [batch, dimension]; differentiable."""
        return self.embedder.embed_audio(waveform, self.backbone.sample_rate)

    def encode_captions(self, positions: list[int]) -> Conditioning:
        """The conditioning of the captions of items of the index, with the timing of what is made here."""
        start, total = self.request.start, self.request.start + self.request.duration
        captions = [self.index.prompts[position] for position in positions]
        return self.backbone.encode(captions, [start] * len(captions), [total] * len(captions))

    def encode_neighbours(self, positions: list[int]) -> Conditioning:
        """The conditioning of the captions and timings of items of the index."""
        index = self.index
        return self.backbone.encode(
            [index.prompts[position] for position in positions],
            [index.seconds_start[position] for position in positions],
            [index.seconds_total[position] for position in positions],
        )
