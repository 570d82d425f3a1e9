"""Generates the sounds of an experiment, batch by batch, and knows what they depend on."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import soundfile

from unheard import audio
from unheard.common.callbacks import raised_afterwards
from unheard.errors import GuidanceError, InputError, ModelError, OutOfMemoryError, RejectedError
from unheard.evaluation import code_version
from unheard.evaluation.batch import Batch, Generated, Row
from unheard.evaluation.experiment import Experiment
from unheard.evaluation.identity import by_former_names, digest, recordings_hash
from unheard.evaluation.metrics import memory
from unheard.evaluation.prompts import Prompt
from unheard.evaluation.settings import SHARE, as_options, named_alone
from unheard.generation import provenance
from unheard.generation.model import Model, load
from unheard.generation.request import Request, check_duration
from unheard.generation.sound import Sound
from unheard.generation.training_set import TrainingSet
from unheard.guidance import describe_guidance
from unheard.index import Index


class Generator:
    """A model, and what each setting asks of it.

    Args:
        model: that generates.
        index: its training set; None for the one that it brings, if any.
        references: recordings for a guidance that compares with them; None for the index's or model's own.
        duration: seconds of a sound whose prompt brings none; None for the model's own.

    Attributes:
        training_set: what guidance stays away from, and audits compare with; the guidance of a setting may be
            given a share of its recordings.
    """

    def __init__(
        self,
        model: Model,
        *,
        index: Index | None = None,
        references: str | None = None,
        duration: float | None = None,
    ) -> None:
        self.model = model
        self.training_set = model.training_set(model.index if index is None else index, references)
        self._duration_asked = duration
        self._given: dict[str, TrainingSet] = {}
        self._hashes: dict[float, str | None] = {}
        self._requests: dict[str, Request] = {}
        self._asked: dict[str, dict[str, Any]] = {}

    @classmethod
    def of(cls, experiment: Experiment, model: str, index: Index | None) -> Generator:
        """The generator of one of an experiment's models, loaded; `index` as `open_index` gives it."""
        loaded = load(model, device=experiment.device, dtype=experiment.dtype, embedder=experiment.embedder)
        return cls(loaded, index=index, references=experiment.references, duration=experiment.duration)

    # --- what is asked for, and what its sounds depend on -------------------------------------------------

    def add(self, name: str, setting: Mapping[str, Any]) -> None:
        """One more setting, as a table of the experiment file.

        Raises:
            InputError: the model cannot generate under it.
        """
        try:
            options, given = as_options(setting, self.model.defaults), self._with_share(setting)
            if (kind := named_alone(setting)) is not None:
                options["guidance"] = self.model.guidance_named(kind, given, self._duration_asked)
            request = self.model.request("any", duration=self._duration_asked, **options)
            given.check(request.guidance, self.model.name)
        except InputError as error:
            raise InputError(f"setting {name!r}: {error}") from error
        self._requests[name], self._given[name] = request, given
        self._asked[name] = self.identity() | {
            "sampling": request.sampling.described(),
            "guidance": None if request.guidance is None else describe_guidance(request.guidance),
            "negative_prompt": request.negative_prompt,
            "recordings": self._recordings_hash(name),
            **self._encoded(name),
        }

    def batch(self, setting: str, prompts: Sequence[Prompt], seeds: Sequence[int]) -> Batch:
        """Prompts of one duration, with a seed each."""
        asked = self._asked[setting]
        asked = asked | {"guidance": by_former_names(asked["guidance"])}
        duration = self._duration(setting, prompts)
        depends_on = [asked, duration, [prompt.text for prompt in prompts], list(seeds)]
        return Batch(digest(depends_on)[:16], setting, tuple(prompts), tuple(seeds))

    def measure(self, setting: str) -> str | None:
        """What the guidance of a setting measures in each step, in words; None where it measures nothing."""
        guidance = self._requests[setting].guidance
        return None if guidance is None else guidance.measure(bool(self._recordings(setting)))

    def identity(self) -> dict[str, Any]:
        """What the sounds of all settings depend on."""
        index, dtype = self.training_set.index, str(self.model.backbone.dtype).removeprefix("torch.")
        return {
            "model": self.model.backbone.fingerprint,
            "embedder": getattr(self.model.embedder, "sha256", None),
            "index": None if index is None else index.sha256,
            # Sounds in float32 were made before there was a choice: they keep their names.
            **({} if dtype == "float32" else {"dtype": dtype}),
        }

    def origin(self, setting: str) -> dict[str, Any]:
        """What sounds of a setting are made of, but for prompts and seeds, by which code, and on what."""
        machine = provenance.machine(self.model.backbone)
        return self._asked[setting] | {"machine": machine, "code": code_version.code_hash()}

    def _duration(self, setting: str, prompts: Sequence[Prompt]) -> float:
        own = prompts[0].duration
        return self._requests[setting].duration if own is None else own

    def _with_share(self, setting: Mapping[str, Any]) -> TrainingSet:
        """The training set with the recordings that a setting gives its guidance; one for each share."""
        share = setting.get(SHARE, 1.0)
        there = (each for each in (self.training_set, *self._given.values()) if each.share == share)
        return next(there, None) or self.training_set.with_share(share)

    def _recordings(self, setting: str) -> Mapping[str, Path]:
        """The recordings that the guidance of a setting compares with, by id."""
        guidance = self._requests[setting].guidance
        uses = guidance is not None and guidance.uses_recordings
        return self._given[setting].recordings if uses else {}

    def _encoded(self, setting: str) -> dict[str, int]:
        """How many of these were encoded beforehand, if any: all of them a detour may compare with."""
        encoded = self.model.encoded(self._given[setting]) if self._recordings(setting) else 0
        return {"encoded": encoded} if encoded else {}

    def _recordings_hash(self, setting: str) -> str | None:
        """The hash of these, taken once for each share."""
        recordings = self._recordings(setting)
        share = self._given[setting].share if recordings else 0.0
        if share not in self._hashes:
            self._hashes[share] = recordings_hash(recordings, self.training_set.index)
        return self._hashes[share]

    # --- the sounds ---------------------------------------------------------------------------------------

    def sounds(self, batch: Batch) -> list[Sound]:
        """The sounds of a batch."""
        limit, name = self.model.backbone.max_duration, self.model.backbone.name
        request = replace(
            self._requests[batch.setting],
            prompts=tuple(prompt.text for prompt in batch.prompts),
            seeds=batch.seeds,
            duration=check_duration(self._duration(batch.setting, batch.prompts), limit, name),
            batch=len(batch),
        )
        return list(self.model.stream(request, self._given[batch.setting]))

    def generate(self, batch: Batch) -> Generated:
        """What becomes of a batch; where it fails each sound is made alone, and those that fail say why."""
        rows, flacs = self._try(batch, range(len(batch)))
        if not flacs and len(batch) > 1:
            alone = [self._try(batch, [position]) for position in range(len(batch))]
            rows = [row for some, _ in alone for row in some]
            flacs = {path: flac for _, some in alone for path, flac in some.items()}
        return Generated(rows, flacs, self.origin(batch.setting))

    def _try(self, batch: Batch, positions: Sequence[int]) -> tuple[list[Row], dict[str, bytes]]:
        """Rows and FLAC files of some sounds of a batch, made together; where that fails, rows that say why.

        What a failure held in memory is let go before this returns.
        """
        together = batch.select(positions)
        asked = [_asked(together, position) for position in range(len(together))]
        try:
            sounds, cost = self._timed(together)
        except (GuidanceError, ModelError, InputError, OutOfMemoryError, RejectedError) as error:
            return [row | {"error": str(error)} for row in asked], {}
        paths = [
            f"sounds/{batch.id}-{seed}-{position}.flac"
            for seed, position in zip(together.seeds, positions, strict=True)
        ]
        rows = [
            row | _outcome(path, sound) | cost for row, path, sound in zip(asked, paths, sounds, strict=True)
        ]
        return rows, {path: _flac(sound) for path, sound in zip(paths, sounds, strict=True)}

    def _timed(self, batch: Batch) -> tuple[list[Sound], dict[str, float | None]]:
        """The sounds of a batch, and what each cost."""
        device = self.model.backbone.device
        measurable = memory.reset_peak(device)
        began = time.perf_counter()
        sounds = self.sounds(batch)
        return sounds, {
            "seconds": (time.perf_counter() - began) / len(batch),
            "peak_memory": memory.peak(device) if measurable else None,
        }


def open_index(experiment: Experiment) -> Index | None:
    """The index that an experiment names for all its models, or None.

    Raises:
        IndexFileError: it cannot be read.
    """
    return None if experiment.index is None else Index.open(experiment.index)


def audio_hash(sound: Sound) -> str:
    """SHA-256 of the float32 samples as decoded."""
    return hashlib.sha256(sound.waveform.contiguous().numpy().tobytes()).hexdigest()


def _asked(batch: Batch, position: int) -> Row:
    """What is known of a sound before it is made."""
    prompt = batch.prompts[position]
    return {
        "prompt": prompt.text, "seed": batch.seeds[position], "position": position,
        "duration": prompt.duration, "batch_prompts": [prompt.text for prompt in batch.prompts],
        "batch_seeds": list(batch.seeds), "error": None,
    }  # fmt: skip


def _outcome(path: str, sound: Sound) -> Row:
    """What is known of a sound once it is made."""
    left = sound.fallback
    return {
        "audio": path,
        "audio_sha256": audio_hash(sound),
        "acted": sound.acted,
        "fallback": None if left is None else left.caption,
        "prompt_weight": None if left is None else left.prompt_weight,
        "trace_similarity": [step.value for step in sound.trace],
        "trace_measure": [step.measure for step in sound.trace],
    }


def _flac(sound: Sound) -> bytes:
    content = io.BytesIO()
    samples = audio.peak_normalise(sound.waveform).T.numpy()
    with raised_afterwards():
        soundfile.write(content, samples, sound.sample_rate, format="FLAC")
    return content.getvalue()
