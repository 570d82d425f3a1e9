"""A batch of prompts to sounds: conditioning, sampler over a guided denoiser, decoder, nearest items."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from unheard.backbones.base import Backbone
from unheard.diffusion.noise import initial_noise, noise_of
from unheard.diffusion.samplers import SAMPLERS
from unheard.embedders import Embedder
from unheard.errors import ModelError
from unheard.generation.out_of_memory import explaining_out_of_memory, memory_hogs
from unheard.generation.request import Batch, Request
from unheard.generation.sound import Fallback, Nearest, Sound, TraceStep, trace_of_each
from unheard.generation.training_set import TrainingSet
from unheard.guidance import Denoiser, Detour, Step, denoiser_for
from unheard.guidance.detour.denoiser import DetourDenoiser
from unheard.guidance.detour.gates.base import Answer
from unheard.guidance.trajectory import Trajectory
from unheard.index import Index

NEAREST = 3  # training items that are named with each sound


@dataclass(frozen=True)
class Progress:
    """Where a generation is, after a denoising step.

    Attributes:
        numbers: the sounds that are being made, by their numbers among those asked for, from 0.
        total: sounds asked for.
        attempt: 0, or which retry of rejected sounds this is.
        step: steps done for this batch, from 1.
        steps: steps to do for each batch.
        trace: what happened in this step, one entry a sound of the batch.
    """

    numbers: tuple[int, ...]
    total: int
    attempt: int
    step: int
    steps: int
    trace: list[TraceStep]


@dataclass(frozen=True)
class BatchMaker:
    """Makes the sounds of a batch as a request says.

    Attributes:
        backbone: the model.
        name: what it is called in messages.
        load_embedder: gives what measures similarity; asked if there is an index.
        trajectory: a guidance and what it is given of sounds on their way, to the `Trajectory`.
        record: a request, a batch, a position in it and the seconds its parts took, to the provenance.
        training_set: what is stayed away from.
        begin: gives the latents of a recording to begin from, in the shape of one sound's noise.
        progress: called after each denoising step.
    """

    backbone: Backbone
    name: str
    load_embedder: Callable[[], Embedder]
    trajectory: Callable[..., Trajectory]
    record: Callable[..., dict[str, Any]]
    training_set: TrainingSet
    begin: Callable[[tuple[int, ...]], Tensor] | None = None
    progress: Callable[[Progress], None] | None = None

    def __call__(self, request: Request, batch: Batch, attempt: int) -> list[Sound]:
        """The sounds in order, at the attempt of that number at them.

        Raises:
            OutOfMemoryError: the message says what to lower.
            ModelError: the model gives no numbers.
            GuidanceError: a similarity or a gradient that is not finite.
        """
        with explaining_out_of_memory(memory_hogs(request, len(batch))):
            return self._sounds(request, batch, attempt)

    @torch.no_grad()
    def _sounds(self, request: Request, batch: Batch, attempt: int) -> list[Sound]:
        index = self.training_set.index
        ids = None if index is None else index.ids
        clock = _Clock()

        denoiser = denoiser_for(request.guidance, self._trajectory(request, batch))
        clock.lap("conditioning")

        latents = self._sample(denoiser, request, batch, attempt)
        replayed = denoiser.replayed(latents) if isinstance(denoiser, DetourDenoiser) else [None] * len(batch)
        clock.lap("sampling")

        waveforms = self._decode(latents, request.duration)
        clock.lap("decoding")

        nearest = self._nearest(waveforms, index)
        clock.lap("nearest items")

        traces = [trace_of_each(step, len(batch), ids) for step in denoiser.trace]
        return [
            Sound(
                waveform=waveforms[position].cpu(),
                sample_rate=self.backbone.sample_rate,
                prompt=prompt,
                seed=seed,
                trace=[step[position] for step in traces],
                nearest=nearest[position],
                provenance={
                    **self.record(request, batch, position, seconds=clock.seconds),
                    **_no_way(denoiser.trace[-1], position, request),
                    **_recalled(replayed[position]),
                },
                number=batch.numbers[position],
                fallback=_fallback(denoiser.trace, position, index),
                latents=latents[position].cpu(),
            )
            for position, (prompt, seed) in enumerate(zip(batch.prompts, batch.seeds, strict=True))
        ]

    def _trajectory(self, request: Request, batch: Batch) -> Trajectory:
        """What a guidance is given of a batch."""
        backbone = self.backbone if request.lyrics is None else self.backbone.with_lyrics(request.lyrics)
        starts, totals = [request.start] * len(batch), [request.start + request.duration] * len(batch)
        negative = [request.negative_prompt] * len(batch)
        conditional, unconditional = backbone.encode_both(batch.prompts, negative, starts, totals)
        return self.trajectory(
            request.guidance,
            backbone=backbone,
            prompts=batch.prompts,
            conditional=conditional,
            unconditional=unconditional,
            guidance_scale=request.sampling.guidance_scale,
            duration=request.duration,
            start=request.start,
        )

    def _sample(self, denoiser: Denoiser, request: Request, batch: Batch, attempt: int) -> Tensor:
        """From noise, or a recording with noise, to latents."""
        sampling, backbone = request.sampling, self.backbone
        index = self.training_set.index
        ids = None if index is None else index.ids

        def report(step: int, sigma: float, denoised: Tensor) -> None:
            if self.progress is not None:
                trace = trace_of_each(denoiser.trace[-1], len(batch), ids)
                steps = sampling.num_inference_steps
                self.progress(Progress(batch.numbers, len(request.prompts), attempt, step + 1, steps, trace))

        shape, seeds, device = backbone.noise_shape(request.duration), batch.seeds, backbone.device
        sigmas = backbone.sigmas(sampling, request.init_noise_level)
        start = float(sigmas[0]) * initial_noise(shape, seeds, device)
        if self.begin is not None:
            start += self.begin(shape)
        noise = noise_of(sampling, sigmas, shape, seeds, device)
        return SAMPLERS[sampling.sampler](denoiser, start, sigmas, noise, report)

    def _decode(self, latents: Tensor, duration: float) -> Tensor:
        """The waveforms of finished latents, as long as asked for."""
        samples = round(duration * self.backbone.sample_rate)
        waveforms = self.backbone.decode(latents)[..., :samples].float()
        if not waveforms.isfinite().all():
            raise ModelError(
                f"{self.name} gave values that are not finite, in {self.backbone.dtype}: use float32; "
                "if it is float32 already, a lower guidance scale"
            )
        return waveforms

    def _nearest(self, waveforms: Tensor, index: Index | None) -> list[list[Nearest]]:
        """The nearest training items of each finished sound [batch, channels, time]."""
        if index is None:
            return [[] for _ in waveforms]
        embeddings = self.load_embedder().embed_audio(waveforms, self.backbone.sample_rate)
        return [
            [
                Nearest(item.id, item.prompt, similarity, item.window_start, item.window_end)
                for item, similarity in index.nearest(embedding, NEAREST)
            ]
            for embedding in embeddings
        ]


def _fallback(trace: Sequence[Step], sample: int, index: Index | None) -> Fallback | None:
    """The caption that a sample of a batch ended under in place of its prompt's."""
    weights = [None if step.prompt_weight is None else step.prompt_weight[sample] for step in trace]
    weight, items = weights[-1], trace[-1].fallback
    if weight is None:
        return None
    first = next(number for number, each in enumerate(weights, 1) if each is not None)
    item = None if items is None else items[sample]
    if item is None or index is None:
        texts = trace[-1].caption
        text = None if texts is None else texts[sample]
        return Fallback(None, text or "", weight, first)
    return Fallback(index.ids[item], index.prompts[item], weight, first)


def _no_way(last: Step, sample: int, request: Request) -> dict[str, str]:
    """What the guidance was to do where no caption leads away from a recording; empty where one does."""
    found_none = last.no_way is not None and last.no_way[sample]
    guidance = request.guidance
    return {"no_way": guidance.if_no_way} if found_none and isinstance(guidance, Detour) else {}


def _recalled(replayed: Answer | None) -> dict[str, dict[str, float]]:
    """How far a finished sound is what the model recalls; empty where it is not."""
    if replayed is None or not replayed.open:
        return {}
    return {"recalled": {"value": replayed.value, "threshold": replayed.threshold}}


class _Clock:
    """Seconds spent on each part of a batch, for the provenance."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, part: str) -> None:
        now = time.perf_counter()
        self.seconds[part] = round(now - self._last, 3)
        self._last = now
