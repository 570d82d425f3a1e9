"""Sounds of an experiment: which belong together, what they depend on, and how they are made."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import soundfile
from torch import Tensor

from unheard import audio
from unheard.common.files import sha256
from unheard.errors import GuidanceError, InputError, ModelError, OutOfMemoryError
from unheard.evaluation import code_version
from unheard.evaluation.batch import Batch, Generated, digest
from unheard.evaluation.experiment import Experiment
from unheard.evaluation.metrics import memory
from unheard.evaluation.prompts import Prompt
from unheard.evaluation.settings import as_options
from unheard.generation import provenance
from unheard.generation.model import Model, load
from unheard.generation.request import Request, check_duration
from unheard.generation.sound import Sound
from unheard.guidance import FORMER_NAMES, describe_guidance
from unheard.index import Index


class Studio:
    """A model, and what each setting asks of it.

    Args:
        model: that generates.
        index: its training set; None for the one that it brings, if any.
        references: recordings for a guidance that compares with them; None for the index's or model's own.
        duration: seconds of a sound whose prompt brings none; None for the model's own.
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
        self.index = model.index if index is None else index
        self._training_set = model.training_set(self.index, references)
        self._duration_asked = duration
        self._contents = lru_cache(self._contents_of)
        self._requests: dict[str, Request] = {}
        self._asked: dict[str, dict[str, Any]] = {}

    @classmethod
    def of(cls, experiment: Experiment, model: str, index: Index | None) -> Studio:
        """The studio of one of an experiment's models, loaded; `index` as `training_set` opens it."""
        loaded = load(model, device=experiment.device, dtype=experiment.dtype, embedder=experiment.embedder)
        return cls(loaded, index=index, references=experiment.references, duration=experiment.duration)

    def add(self, name: str, setting: Mapping[str, Any]) -> None:
        """One more setting, as a table of the experiment file.

        Raises:
            InputError: the model cannot generate under it.
        """
        try:
            options = as_options(setting, self.model.defaults)
            request = self.model.request("any", duration=self._duration_asked, **options)
            self._training_set.check(request.guidance, self.model.name)
        except InputError as error:
            raise InputError(f"setting {name!r}: {error}") from error
        self._requests[name] = request
        self._asked[name] = self.identity() | {
            "sampling": asdict(request.sampling),
            "guidance": None if request.guidance is None else describe_guidance(request.guidance),
            "negative_prompt": request.negative_prompt,
            "recordings": self._contents(tuple(sorted(self._recordings(request).items()))),
        }

    def identity(self) -> dict[str, Any]:
        """What the sounds of all settings depend on."""
        model, dtype = self.model, str(self.model.backbone.dtype).removeprefix("torch.")
        return {
            "model": model.backbone.fingerprint,
            "embedder": getattr(model.embedder, "sha256", None),
            "index": None if self.index is None else self.index.sha256,
            # Sounds in float32 were made before there was a choice: they keep their names.
            **({} if dtype == "float32" else {"dtype": dtype}),
        }

    def origin(self, setting: str) -> dict[str, Any]:
        """What sounds of a setting are made of, but for prompts and seeds, by which code, and on what."""
        backbone = self.model.backbone
        machine = provenance.machine(backbone.device, backbone.dtype)
        return self._asked[setting] | {"machine": machine, "code": code_version.code_hash()}

    def measure(self, setting: str) -> str | None:
        """What the guidance of a setting measures in each step, in words; None where it measures nothing."""
        request = self._requests[setting]
        return None if request.guidance is None else request.guidance.measure(bool(self._recordings(request)))

    def batch(self, setting: str, prompts: Sequence[Prompt], seeds: Sequence[int]) -> Batch:
        """Prompts of one duration, with a seed each."""
        duration = self._duration(setting, prompts)
        depends = self._asked[setting] | {"guidance": by_former_names(self._asked[setting]["guidance"])}
        asked = [depends, duration, [prompt.text for prompt in prompts], list(seeds)]
        return Batch(digest(asked)[:16], setting, tuple(prompts), tuple(seeds))

    def make(self, batch: Batch) -> Generated:
        """Generate; where a batch fails, each of its sounds alone, and those that fail say why."""
        rows, sounds = self._make_or_say_why(batch, range(len(batch.prompts)))
        if not sounds and len(rows) > 1:
            rows = []
            for place in range(len(batch.prompts)):
                row, sound = self._make_or_say_why(batch, [place])
                rows += row
                sounds |= sound
        return Generated(rows, sounds, self.origin(batch.setting))

    def generate(self, batch: Batch) -> list[Sound]:
        """The sounds of a batch."""
        setting = self._requests[batch.setting]
        limit, name = self.model.backbone.max_duration, self.model.backbone.name
        request = replace(
            setting,
            prompts=tuple(prompt.text for prompt in batch.prompts),
            seeds=batch.seeds,
            duration=check_duration(self._duration(batch.setting, batch.prompts), limit, name),
            batch=len(batch.prompts),
        )
        return list(self.model.stream(request, self._training_set))

    def _recordings(self, request: Request) -> Mapping[str, Path]:
        """The recordings that the guidance of a request compares with, by id."""
        compares = request.guidance is not None and request.guidance.uses_recordings
        return self._training_set.recordings if compares else {}

    def _make_or_say_why(
        self, batch: Batch, places: Sequence[int]
    ) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
        """As `_make`; where that fails, rows with the error. What it held in memory is let go then."""
        try:
            return self._make(batch, places)
        except (GuidanceError, ModelError, InputError, OutOfMemoryError) as error:
            asked = (_asked(batch, places, position) for position in range(len(places)))
            return [{**each, "error": str(error)} for each in asked], {}

    def _make(self, batch: Batch, places: Sequence[int]) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
        """Rows and FLAC files of the sounds at some places of a batch, made together."""
        together = replace(
            batch,
            prompts=tuple(batch.prompts[place] for place in places),
            seeds=tuple(batch.seeds[place] for place in places),
        )
        device = self.model.backbone.device
        measurable = memory.reset_peak(device)
        began = time.perf_counter()
        sounds = self.generate(together)
        cost = {
            "seconds": (time.perf_counter() - began) / len(places),
            "peak_memory": memory.peak(device) if measurable else None,
        }
        rows, flacs = [], {}
        for position, (place, sound) in enumerate(zip(places, sounds, strict=True)):
            path = f"sounds/{batch.id}-{sound.seed}-{place}.flac"
            flacs[path] = _flac(sound.waveform, sound.sample_rate)
            row = {
                "audio": path,
                "audio_sha256": audio_hash(sound),
                "acted": sound.acted,
                "trace_similarity": [step.value for step in sound.trace],
                "trace_measure": [step.measure for step in sound.trace],
            }
            rows.append(_asked(batch, places, position) | row | cost)
        return rows, flacs

    def _contents_of(self, recordings: tuple[tuple[str, Path], ...]) -> str | None:
        """A hash of recordings by id and content; None for none.

        Those of an index are not read again, where it knows what it has heard.
        """
        if not recordings:
            return None
        known: dict[tuple[str, str | None], str] = {}
        if self.index is not None and self.index.store is not None:
            contents = self.index.store.contents()
            places = zip(self.index.ids, self.index.sources, strict=True)
            known = {(item, place): contents[item] for item, place in places if item in contents}
        said = "".join(
            f"{name} {known.get((name, str(path))) or sha256(path)}\n" for name, path in recordings
        )
        return hashlib.sha256(said.encode()).hexdigest()

    def _duration(self, setting: str, prompts: Sequence[Prompt]) -> float:
        own = prompts[0].duration
        return self._requests[setting].duration if own is None else own


def training_set(experiment: Experiment) -> Index | None:
    """The index that an experiment names for all its models, or None.

    Raises:
        IndexFileError: it cannot be read.
    """
    return None if experiment.index is None else Index.open(experiment.index)


def by_former_names(guidance: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A guidance by the names its settings had when batches were first named: they keep their names."""
    if guidance is None:
        return None
    former = {name: earlier for earlier, name in FORMER_NAMES.get(guidance["kind"], {}).items()}
    return {former.get(name, name): value for name, value in guidance.items()}


def audio_hash(sound: Sound) -> str:
    """SHA-256 of the float32 samples as decoded."""
    return hashlib.sha256(sound.waveform.contiguous().numpy().tobytes()).hexdigest()


def _asked(batch: Batch, places: Sequence[int], position: int) -> dict[str, Any]:
    """What is known of the sound at a position among those made together, before it is made."""
    prompt = batch.prompts[places[position]]
    return {
        "prompt": prompt.text, "seed": batch.seeds[places[position]], "position": position,
        "duration": prompt.duration, "batch_prompts": [batch.prompts[place].text for place in places],
        "batch_seeds": [batch.seeds[place] for place in places], "error": None,
    }  # fmt: skip


def _flac(waveform: Tensor, rate: int) -> bytes:
    content = io.BytesIO()
    soundfile.write(content, audio.peak_normalise(waveform).T.numpy(), rate, format="FLAC")
    return content.getvalue()
