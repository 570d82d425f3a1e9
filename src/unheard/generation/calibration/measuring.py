"""What the gates of a detour say of captions, along the model's own trajectories; cached."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unheard.backbones.base import trim
from unheard.common.checks import require_above_zero, require_number
from unheard.common.files import cache_folder, write_whole
from unheard.common.structured_files import read_json
from unheard.diffusion.noise import initial_noise, noise_of
from unheard.diffusion.samplers import SAMPLERS
from unheard.errors import InputError
from unheard.generation.model import Model
from unheard.generation.training_set import TrainingSet
from unheard.guidance.detour.high_noise import high_noise
from unheard.guidance.detour.look_ahead import STEPS
from unheard.guidance.detour.readings import COMPARED_BY, Readings
from unheard.guidance.detour.settings import Detour

LOW_NOISE = -4
"""The last noise level but two, before 0: where Asthana and Belagiannis take the alignment."""
SPREAD_OF = 16
"""Captions whose finished latents tell how far the model's are spread."""


@dataclass(frozen=True)
class Caption:
    """A caption, and the seed of its noise."""

    text: str
    seed: int

    @property
    def key(self) -> str:
        return f"{self.seed} {self.text}"


@dataclass(frozen=True)
class Reading:
    """What was measured of one caption.

    Attributes:
        pulls: the prompt's pull at each step.
        excesses: the excess correlation with a recording at each step; empty without recordings.
        alignment: see `unheard.guidance.detour.readings.Readings.alignments`.
        settled: how far the sound is settled in full noise, see
            `unheard.guidance.detour.gates.settled_pull.settled`.
    """

    pulls: tuple[float, ...]
    excesses: tuple[float, ...]
    alignment: float
    settled: float

    def pull(self, sigmas: Sequence[float], lowest: float) -> float:
        """The largest pull down to a noise level: what opens the gate, if anything does."""
        return max(pull for pull, sigma in zip(self.pulls, sigmas, strict=False) if sigma >= lowest)

    @property
    def settled_pull(self) -> float:
        """The pull in the first step, as far as it settles the sound."""
        return self.pulls[0] * self.settled

    @property
    def excess(self) -> float:
        """The largest excess correlation of all steps."""
        return max(self.excesses)


class Measuring:
    """Measures captions of one duration.

    Without recordings a trajectory ends where the pull is no longer asked. With recordings it is made whole,
    since their gate is asked at every step.

    Args:
        model: see `unheard.load`.
        training_set: index and recordings.
        duration: seconds.
        batch: captions at once.

    Attributes:
        duration: as given.
        sigmas: noise levels of the steps.
        spread: root mean square of the finished latents of the first 16 captions; 0 before `measure`.
    """

    def __init__(self, model: Model, training_set: TrainingSet, duration: float, batch: int) -> None:
        assert training_set.index is not None
        self._model, self._training_set, self._sampling = model, training_set, model.defaults.sampling
        self.duration, self._batch, self._items = duration, batch, training_set.index.items
        self._schedule = model.backbone.sigmas(self._sampling)
        self.sigmas: list[float] = self._schedule[:-1].tolist()
        self.spread = 0.0
        self._known: dict[str, Reading] = {}
        self._cache = self._cached_at(training_set.index.sha256)
        self._read()

    @property
    def high_noise(self) -> float:
        """The noise level down to which the pull is asked; in the first step it always is."""
        backbone = self._model.backbone
        values = trim(torch.empty(backbone.noise_shape(self.duration)), self._frames, backbone.time_axis)
        # What the gate is told comes back from the model's precision, and may be a last digit lower.
        return min(high_noise(values.numel(), self._items, self.spread), self.sigmas[0]) * (1 - 1e-6)

    @property
    def steps(self) -> int:
        """How many steps of a trajectory are made."""
        if self._training_set.recordings:
            return len(self.sigmas)
        return sum(sigma >= self.high_noise for sigma in self.sigmas)

    def measure(
        self, captions: Sequence[Caption], report: Callable[[int, int], None] = lambda done, total: None
    ) -> list[Reading]:
        """What was measured of captions, in their order; each batch is cached at once.

        Args:
            captions: at least one.
            report: called with how many are measured, and how many there are.
        """
        if not self.spread:
            first = captions[:SPREAD_OF]
            batches = [first[at : at + self._batch] for at in range(0, len(first), self._batch)]
            latents = torch.cat([self._run(some, len(self.sigmas)) for some in batches])
            self.spread = float(latents.square().mean().sqrt())
            self._write()
        left = [caption for caption in captions if caption.key not in self._known]
        there = len(captions) - len(left)
        report(there, len(captions))
        for position in range(0, len(left), self._batch):
            some = left[position : position + self._batch]
            self._run(some, self.steps)
            self._write()
            report(there + position + len(some), len(captions))
        return [self._known[caption.key] for caption in captions]

    def pull(self, reading: Reading) -> float:
        """What the pull's gate asks of a caption."""
        return reading.pull(self.sigmas, self.high_noise)

    @torch.no_grad()
    def _run(self, captions: Sequence[Caption], steps: int) -> Tensor:
        """The first steps of some captions' trajectories; gives back the latents [batch, ...] after them."""
        backbone, seeds = self._model.backbone, [caption.seed for caption in captions]
        prompts, count = [caption.text for caption in captions], len(captions)
        timing = [0.0] * count, [self.duration] * count
        conditional, unconditional = backbone.encode_both(prompts, [None] * count, *timing)
        guidance = Detour()
        readings = Readings(
            self._model.trajectory(
                self._training_set,
                guidance,
                backbone=backbone,
                prompts=prompts,
                conditional=conditional,
                unconditional=unconditional,
                guidance_scale=self._sampling.guidance_scale,
                duration=self.duration,
            ),
            guidance,
        )
        shape = backbone.noise_shape(self.duration)
        start = initial_noise(shape, seeds, backbone.device)
        latents = SAMPLERS[self._sampling.sampler](
            readings,
            self.sigmas[0] * start,
            self._schedule[: steps + 1],
            noise_of(self._sampling, self._schedule, shape, seeds, backbone.device),
        )
        levels = self._schedule.tolist()
        alignments = readings.alignments(start, levels[LOW_NOISE] if len(levels) > 4 else levels[0])
        excesses = list(zip(*readings.excesses, strict=True)) or [()] * count
        told = zip(zip(*readings.pulls, strict=True), excesses, alignments, readings.settled, strict=True)
        for caption, values in zip(captions, told, strict=True):
            self._known[caption.key] = Reading(*values)
        return trim(latents, self._frames, backbone.time_axis).float()

    @property
    def _frames(self) -> int:
        return self._model.backbone.frames(self.duration)

    def _cached_at(self, index: str) -> Path | None:
        """The file of everything that decides what is measured; None where nothing tells this model's."""
        fingerprint = self._model.fingerprint
        if fingerprint is None:
            return None
        encoded = self._model.encoded(self._training_set)
        decides = {
            "model": fingerprint,
            "index": index,
            "recordings": sorted(self._training_set.recordings),
            "encoded": encoded,
            "sounding_like": "latents" if encoded else "embeddings",
            "sampling": self._sampling.described(),
            "duration": self.duration,
            "dtype": str(self._model.backbone.dtype),
            "spread_of": SPREAD_OF,
            "look_ahead": STEPS,
            "gates": {name: getattr(Detour(), name) for name in COMPARED_BY},
        }
        name = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:32]
        return cache_folder("readings") / f"{name}.json"

    def _read(self) -> None:
        """Take what was measured before; a damaged file is as good as none, and told of."""
        if self._cache is None or not self._cache.is_file():
            return
        try:
            stored = read_json(self._cache)
            require_above_zero("spread", stored["spread"])
            known = dict(_readings(stored["readings"]))
        except (OSError, InputError, ValueError, TypeError, LookupError, AttributeError) as error:
            reason = str(error) or type(error).__name__
            warnings.warn(f"cannot read {self._cache}: {reason}; it is measured again", stacklevel=2)
            return
        self.spread, self._known = float(stored["spread"]), known

    def _write(self) -> None:
        if self._cache is None:
            return
        readings = {key: asdict(reading) for key, reading in self._known.items()}
        try:
            self._cache.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._cache, json.dumps({"spread": self.spread, "readings": readings}).encode())
        except (OSError, InputError) as error:
            self._cache = None
            warnings.warn(f"the readings are not cached: {error}", stacklevel=2)


def _readings(stored: dict[str, Any]) -> Iterator[tuple[str, Reading]]:
    for key, each in stored.items():
        alone = float(each["alignment"]), float(each["settled"])
        for value in (*each["pulls"], *each["excesses"], *alone):
            require_number("a reading", value)
        if each["pulls"]:
            yield key, Reading(tuple(each["pulls"]), tuple(each["excesses"]), *alone)
