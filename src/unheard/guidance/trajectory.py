"""What a denoiser is made for: the sounds of a batch on their way, with the model that makes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from unheard.backbones import base
from unheard.backbones.base import Backbone
from unheard.embedders import Embedder
from unheard.errors import InputError
from unheard.index import Index

if TYPE_CHECKING:
    from unheard.guidance.amg.gate_head import Fit, GateHead
    from unheard.guidance.detour.coarse_latents import CoarseLatents


@dataclass(frozen=True)
class Trajectory:
    """A batch from noise to sound.

    Attributes:
        backbone: the model.
        load_embedder: gives what measures similarity; asked only by kinds that embed, since it is loaded
            then.
        latents_of: a recording's latents, `[*latent_shape]` but for its own number of frames.
        prompts: one a sound.
        conditional, unconditional: conditionings of the prompts and of no prompt, one entry a sound.
        guidance_scale: of classifier-free guidance.
        duration: seconds of sound.
        start: seconds into the piece at which the sound begins.
        training_set: the index of the training set, if there is one.
        recordings: where recordings of its items lie, by id, as far as they are available.
        memorised: whether these are all that the model has memorised.
        find_gate_head: gives the gate head for sounds of a duration, see `unheard.guidance.amg.gate_head`.
        find_coarse_latents: gives those of the recordings, None where they were not encoded beforehand.
    """

    backbone: Backbone
    load_embedder: Callable[[], Embedder]
    latents_of: Callable[[Path], Tensor]
    prompts: Sequence[str]
    conditional: Any
    unconditional: Any
    guidance_scale: float
    duration: float
    start: float = 0.0
    training_set: Index | None = None
    recordings: Mapping[str, Path] = field(default_factory=dict)
    memorised: bool = False
    find_gate_head: Callable[[float], tuple[GateHead, Fit]] | None = None
    find_coarse_latents: Callable[[], CoarseLatents | None] | None = None

    @property
    def frames(self) -> int:
        """Frames of latents that the requested duration covers."""
        return self.backbone.frames(self.duration)

    @property
    def embedder(self) -> Embedder:
        """What measures similarity."""
        return self.load_embedder()

    @property
    def index(self) -> Index:
        """The index of the training set.

        Raises:
            InputError: there is none.
        """
        if self.training_set is None:
            raise InputError("this guidance needs an index of the training set: give one (--index PATH)")
        return self.training_set

    @property
    def gate_head(self) -> tuple[GateHead, Fit]:
        """The head that foresees the gate of AMG, with what it was made for.

        Raises:
            InputError: there is none for this model, embedder and duration.
        """
        if self.find_gate_head is None:
            raise InputError("there is no gate head here: leave out --gate-head")
        return self.find_gate_head(self.duration)

    @property
    def coarse_latents(self) -> CoarseLatents | None:
        """All encoded recordings at a glance; None where they were not encoded beforehand."""
        return None if self.find_coarse_latents is None else self.find_coarse_latents()

    def trim(self, latents: Tensor) -> Tensor:
        """The frames of latents that the requested duration covers."""
        return base.trim(latents, self.frames, self.backbone.time_axis)

    def by_frame(self, latents: Tensor) -> Tensor:
        """One latent, of a prediction or a recording, as [features, frames]."""
        return base.by_frame(latents, self.backbone.time_axis)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents to the waveform [batch, channels, time] of the requested duration; differentiable."""
        return self.backbone.decode(self.trim(latents))

    def embed(self, waveform: Tensor) -> Tensor:
        """Waveforms at the model's rate to unit vectors [batch, dimension]; differentiable."""
        return self.embedder.embed_audio(waveform, self.backbone.sample_rate)

    def encode_texts(self, texts: Sequence[str]) -> Any:
        """The conditioning of texts, with the timing of what is made here."""
        timing = [self.start] * len(texts), [self.start + self.duration] * len(texts)
        return self.backbone.encode(texts, *timing)

    def encode_captions(self, positions: list[int]) -> Any:
        """The conditioning of the captions of items of the index, with the timing of what is made here."""
        return self.encode_texts([self.index.prompts[position] for position in positions])

    def encode_neighbours(self, positions: list[int]) -> Any:
        """The conditioning of the captions and timings of items of the index."""
        index = self.index
        return self.backbone.encode(
            [index.prompts[position] for position in positions],
            [index.seconds_start[position] for position in positions],
            [index.seconds_total[position] for position in positions],
        )
