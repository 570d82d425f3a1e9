"""The whole story: load a model, generate sounds.

prompts -> conditioning -> sampler over a guided denoiser -> decoded waveforms -> nearest items -> sounds
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from unheard.auditing.auditor import Witness
from unheard.auditing.catalogue import Catalogue
from unheard.auditing.references import References, catalogue_at_hand, places_at_hand
from unheard.backbones import Backbone, hub, load_backbone
from unheard.diffusion.samplers import SAMPLERS, BrownianTreeNoise, initial_noise, polyexponential_sigmas
from unheard.embedders import Embedder, load_embedder
from unheard.errors import InputError, ModelError, OutOfMemoryError, RejectedError
from unheard.generation import provenance
from unheard.generation import request as asked
from unheard.generation.defaults import Defaults, read_defaults
from unheard.generation.rejection import Refused, Rejection, passing, raise_if_any
from unheard.generation.request import Batch, Request
from unheard.generation.sound import Nearest, Sound, TraceStep
from unheard.guidance import denoiser_for
from unheard.guidance.base import Guidance, GuidanceWarning, Step
from unheard.guidance.detour.recording_latents import Encoded, RecordingLatents
from unheard.guidance.detour.settings import Detour
from unheard.guidance.trajectory import Trajectory
from unheard.index import Index

NEAREST = 3  # training items that are named with each sound


@dataclass(frozen=True)
class Progress:
    """Where a generation is, after a denoising step.

    Attributes:
        numbers: the sounds that are being made, by their places among those asked for, from 0.
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


def load(
    model: str | Path = "tiny",
    *,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype | None = None,
    embedder: str | Path | Embedder | None = None,
) -> Model:
    """Load a model to generate with.

    Args:
        model: `tiny`, a folder in diffusers' layout, or `owner/name` on the Hugging Face hub.
        device: auto, cpu, cuda, cuda:N or mps.
        dtype: float32 (also None), float16 or bfloat16.
        embedder: what hears similarity: a folder, a hub id, or an embedder; None for the model's own. It
            is loaded when it is first needed.

    Raises:
        ModelError: the model cannot be found or loaded, or its own settings cannot be read.
        InputError: an unknown or absent device, an unknown dtype.
    """
    with _explaining_out_of_memory(["the precision (--dtype bfloat16 or float16)"], "or use --device cpu"):
        backbone = load_backbone(model, device=device, dtype=dtype)
    folder = hub.fetch(model)
    name = str(folder.resolve()) if Path(model).expanduser() == folder else str(model)
    return Model(backbone, read_defaults(folder), embedder, name)


class Model:
    """A backbone, the embedder that judges similarity, and the settings that travel with them.

    Args:
        backbone: see `unheard.backbones.Backbone`.
        defaults: what holds where nothing is said.
        embedder: a folder, a hub id, or an embedder; None for the one in `defaults`.
        name: what `load` finds the model by; the backbone's own name if left out.
    """

    def __init__(
        self,
        backbone: Backbone,
        defaults: Defaults | None = None,
        embedder: str | Path | Embedder | None = None,
        name: str | None = None,
    ) -> None:
        self.backbone = backbone
        self.name = backbone.name if name is None else name
        self.defaults = Defaults() if defaults is None else defaults
        self._given_embedder = embedder
        self._recordings = RecordingLatents(backbone, getattr(backbone, "folder", None))

    @cached_property
    def embedder(self) -> Embedder:
        """What hears similarity; loaded when first asked for."""
        given = self.defaults.embedder if self._given_embedder is None else self._given_embedder
        return load_embedder(given, device=self.backbone.device) if isinstance(given, str | Path) else given

    @cached_property
    def index(self) -> Index | None:
        """The training set that the model brings, or None; read when first asked for."""
        return None if self.defaults.index is None else Index.open(self.defaults.index)

    def references_of(self, index: Index | None) -> Path | None:
        """The list of recordings that the model brings; None beside a training set that it did not bring."""
        return self.defaults.references if index is None or self._is_own(index) else None

    def encode_recordings(
        self,
        index: Index | str | Path,
        *,
        references: References | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Encoded:
        """Encode the recordings of a training set once, so that no sound under a detour waits for it.

        What is made is kept in the user's cache at once: it can be stopped and called again.

        Args:
            index: the training set.
            references: its recordings, where it does not say where they lie: a folder or files, with ids as
                file names.
            progress: called with how many recordings are done, and how many there are.

        Raises:
            InputError: the index cannot be read, or none of its recordings is at hand.
        """
        known = Index.open(index) if isinstance(index, str | Path) else index
        places = self._places(known, references)
        if not places:
            raise InputError(
                f"no recording of {known.path or 'the index'} is at hand: name the folder (--references "
                "FOLDER, with ids as file names)"
            )
        encoded = Encoded()
        for number, (item, place) in enumerate(places.items(), 1):
            try:
                if self._recordings.keep(place):
                    encoded.made += 1
                else:
                    encoded.there += 1
            except InputError as error:
                encoded.left_out[item] = str(error)
            if progress is not None:
                progress(number, len(places))
        return encoded

    def generate(
        self,
        prompts: str | Sequence[str],
        *,
        progress: Callable[[Progress], None] | None = None,
        **options: Any,
    ) -> list[Sound]:
        """Generate one sound for each prompt.

        Args:
            prompts: one or several.
            progress: called after each denoising step.
            **options: as in `request`: duration, start, seed, batch, num_inference_steps, guidance_scale,
                negative_prompt, sampler, sigma_min, sigma_max, guidance, index, reject, retries, references.

        Raises:
            InputError, IndexFileError: something asked for cannot be done, see `request`.
            ModelError: the embedder cannot be loaded, or the model gives no numbers.
            GuidanceError: a similarity or a gradient that is not finite.
            OutOfMemoryError: the message says what to lower. `stream` hands out what was finished before.
            RejectedError: no attempt at a sound passed `reject`; has the others under `sounds`.
        """
        request = self.request(prompts, **options)
        sounds: dict[int, Sound] = {}
        try:
            for sound in self.stream(request, progress):
                sounds[sound.number] = sound
        except RejectedError as error:
            error.sounds = [sounds[number] for number in sorted(sounds)]
            raise
        return [sounds[number] for number in sorted(sounds)]

    def request(
        self,
        prompts: str | Sequence[str],
        *,
        duration: float | None = None,
        start: float = 0.0,
        seed: int | Sequence[int] = 0,
        batch: int | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        negative_prompt: str | None = None,
        sampler: str | None = None,
        sigma_min: float | None = None,
        sigma_max: float | None = None,
        guidance: Guidance | Literal["auto"] | None = "auto",
        index: Index | str | Path | Literal["auto"] | None = "auto",
        reject: str | None = None,
        retries: int = 4,
        references: References | None = None,
    ) -> Request:
        """Check what is asked for, and fill in the model's own settings where nothing is said.

        Args:
            prompts: one or several, at most 2,000 characters each.
            duration: seconds, at least 0.01 and at most what the model can make.
            start: seconds into the piece at which the sound begins, at least 0.
            seed: one for each prompt; or a number that every prompt takes, and a prompt given again the next.
                A seed gives the same sound in any batch, up to the rounding of the arithmetic.
            batch: sounds generated at once; None for all of them up to 4.
            num_inference_steps, guidance_scale, sampler, sigma_min, sigma_max: see `unheard.Sampling`.
            negative_prompt: what the sounds shall not be.
            guidance: any of `unheard.guidance.GUIDANCES`; None for classifier-free guidance
                alone.
            index: the training set to stay away from; None for none. Without guidance it is still asked for
                the nearest items.
            reject: a verdict ("copy", "partial copy", "similar"): every sound is audited, and one as bad or
                worse is made again with another seed and stronger guidance (`unheard.generation.rejection`).
            retries: how often, at most.
            references: the recordings that `reject` compares with: a catalogue, a folder or files; None for
                those of the index, or those that the model brings.

        Raises:
            InputError: a value that cannot be used, guidance without an index, `reject` without references.
            IndexFileError: an index that cannot be read, or was made by another embedder.
            ModelError: the embedder cannot be loaded.
        """
        texts = asked.check_prompts(prompts)
        if negative_prompt is not None:
            asked.check_prompt(negative_prompt, "negative prompt")
        if duration is None:
            duration = min(self.defaults.duration, self.backbone.max_duration)
        given: dict[str, Any] = {
            "sampler": sampler,
            "num_inference_steps": num_inference_steps,
            "sigma_min": sigma_min,
            "sigma_max": sigma_max,
            "guidance_scale": guidance_scale,
        }
        given = {name: value for name, value in given.items() if value is not None}
        checked = Request(
            prompts=texts,
            seeds=asked.seeds_for(texts, seed),
            negative_prompt=negative_prompt,
            duration=asked.check_duration(duration, self.backbone.max_duration, self.backbone.name),
            start=asked.check_start(start),
            batch=asked.check_batch(batch, len(texts)),
            sampling=replace(self.defaults.sampling, **given),
            guidance=self.defaults.guidance if guidance == "auto" else guidance,
            index=self._training_set(index),
        )
        _warn_of_missing_captions(checked)
        if reject is not None:
            checked = replace(checked, rejection=self._rejection(reject, retries, references, checked.index))
        needs_index = checked.guidance is not None and checked.guidance.needs_index
        if needs_index and checked.index is None:
            raise InputError(
                f"anti-memorization guidance needs an index of the training set; {self.name} brings none: "
                "give one (--index PATH, index=...) or go without (--no-guidance, guidance=None)"
            )
        if isinstance(checked.guidance, Detour) and checked.index is not None:
            checked = self._with_recordings(checked, references)
        return checked

    def stream(self, request: Request, progress: Callable[[Progress], None] | None = None) -> Iterator[Sound]:
        """Generate batch after batch; every sound of a batch is handed out before the next batch begins.

        With rejection, sounds come as they pass, so that a later one may come first; `Sound.number` tells.

        Raises:
            RejectedError: at the end, if some sounds were not handed out.
        """
        refused: list[Refused] = []
        for batch in request.batches():
            if request.rejection is None:
                yield from self._generate(request, batch, 0, progress)
            else:
                make = partial(self._generate, progress=progress)
                refused += yield from passing(request, batch, request.rejection, make)
        raise_if_any(refused, request)

    def _generate(
        self, request: Request, batch: Batch, attempt: int, progress: Callable[[Progress], None] | None
    ) -> list[Sound]:
        with _explaining_out_of_memory(_memory_hogs(request, len(batch))):
            return self._generate_batch(request, batch, attempt, progress)

    @torch.no_grad()
    def _generate_batch(
        self, request: Request, batch: Batch, attempt: int, progress: Callable[[Progress], None] | None
    ) -> list[Sound]:
        backbone, sampling, steps = self.backbone, request.sampling, request.sampling.num_inference_steps
        clock = _Clock()

        starts, totals = [request.start] * len(batch), [request.start + request.duration] * len(batch)
        conditional = backbone.encode(batch.prompts, starts, totals)
        unconditional = backbone.encode_unconditional([request.negative_prompt] * len(batch), starts, totals)
        denoiser = denoiser_for(
            request.guidance,
            Trajectory(
                backbone=backbone,
                load_embedder=lambda: self.embedder,
                latents_of=self._recordings.of,
                prompts=batch.prompts,
                conditional=conditional,
                unconditional=unconditional,
                guidance_scale=sampling.guidance_scale,
                duration=request.duration,
                start=request.start,
                training_set=request.index,
                recordings=request.recordings,
            ),
        )
        clock.lap("conditioning")

        def report(step: int, sigma: float, denoised: Tensor) -> None:
            if progress is not None:
                trace = _of_each_sound(denoiser.trace[-1], len(batch), request.index)
                progress(Progress(batch.numbers, len(request.prompts), attempt, step + 1, steps, trace))

        shape, seeds, device = backbone.latent_shape, batch.seeds, backbone.device
        latents = SAMPLERS[sampling.sampler](
            denoiser,
            sampling.sigma_max * initial_noise(shape, seeds, device),
            polyexponential_sigmas(steps, sampling.sigma_min, sampling.sigma_max),
            BrownianTreeNoise(shape, sampling.sigma_min, sampling.sigma_max, seeds, device),
            report,
        )
        clock.lap("sampling")

        samples = round(request.duration * backbone.sample_rate)
        waveforms = backbone.decode(latents)[..., :samples].float()
        if not waveforms.isfinite().all():
            raise ModelError(
                f"{self.name} gave values that are not finite, in {backbone.dtype}: use float32; "
                "if it is float32 already, a lower guidance scale"
            )
        clock.lap("decoding")

        nearest = self._nearest(waveforms, request.index)
        clock.lap("nearest items")

        sources, machine = self._sources(request), provenance.machine(backbone.device, backbone.dtype)
        traces = [_of_each_sound(step, len(batch), request.index) for step in denoiser.trace]
        return [
            Sound(
                waveform=waveforms[position].cpu(),
                sample_rate=backbone.sample_rate,
                prompt=prompt,
                seed=seed,
                trace=[step[position] for step in traces],
                nearest=nearest[position],
                provenance=provenance.record(request, batch, position, sources, machine, clock.seconds),
                number=batch.numbers[position],
            )
            for position, (prompt, seed) in enumerate(zip(batch.prompts, batch.seeds, strict=True))
        ]

    def _training_set(self, index: Index | str | Path | Literal["auto"] | None) -> Index | None:
        """The index on the model's device, once it is known to be of this embedder."""
        if index == "auto":
            found = self.index
        else:
            found = Index.open(index) if isinstance(index, str | Path) else index
        if found is None:
            return None
        found.check_embedder(self.embedder)
        return found.to(self.backbone.device)

    def _with_recordings(self, request: Request, references: References | None) -> Request:
        """With the recordings that a detour compares with, as far as they are at hand."""
        assert request.index is not None
        recordings = self._places(request.index, references)
        self._warn_of_missing_recordings(request.index, recordings, references)
        if not recordings:
            return request
        return replace(request, recordings=recordings, references=_paths(references))

    def _warn_of_missing_recordings(
        self, index: Index, recordings: Mapping[str, Path], references: References | None
    ) -> None:
        """Where none are at hand, or only some; but a model may bring those alone that it has memorised."""
        count = len(set(index.ids))
        brought = bool(recordings) and references is None and self._is_own(index)
        if brought or (recordings and len(recordings) == count):
            return
        lacking = (
            f"the recordings of {len(recordings):,} of {count:,} items are at hand: for the others"
            if recordings
            else f"the recordings of {index.path or 'the index'} are not at hand, so"
        )
        warnings.warn(
            f"{lacking} the detour goes by the pull of the prompt and cannot say what would be copied; "
            "name them to have it compare (--references FOLDER, with ids as file names)",
            GuidanceWarning,
            stacklevel=4,
        )

    def _rejection(
        self, reject: str, retries: int, references: References | None, index: Index | None
    ) -> Rejection:
        catalogue = catalogue_at_hand(references, index, self.references_of(index))
        embedder = None if index is None else self.embedder
        return Rejection(reject, retries, Witness(catalogue, index=index, embedder=embedder))

    def _places(self, index: Index, references: References | None) -> dict[str, Path]:
        """Where the recordings of an index lie, by id, as far as they are at hand."""
        return places_at_hand(references, index, self.references_of(index))

    def _is_own(self, index: Index) -> bool:
        """Whether this is the training set that the model brought."""
        return index.path is not None and index.path == self.defaults.index

    def _sources(self, request: Request) -> dict[str, Any]:
        """Model, embedder and index with their hashes; "given" is None for what the model brought itself."""
        index, embedder = request.index, self._given_embedder
        if isinstance(embedder, str | Path) and Path(embedder).is_dir():
            embedder = Path(embedder).resolve()
        sources: dict[str, Any] = {
            "model": {"name": self.name, "fingerprint": self.backbone.fingerprint},
            "embedder": None,
            "index": None,
            "recordings": None,
        }
        if index is not None:
            sources["embedder"] = {
                "name": self.embedder.name,
                "given": str(embedder) if isinstance(embedder, str | Path) else None,
                "sha256": getattr(self.embedder, "sha256", None),
            }
            sources["index"] = {
                "items": index.items,
                "given": None if self._is_own(index) else _location(index.path),
                "sha256": index.sha256,
            }
        if request.recordings:
            given = request.references
            sources["recordings"] = {
                "items": len(request.recordings),
                "given": None if given is None else [str(path.resolve()) for path in given],
            }
        return sources

    def _nearest(self, waveforms: Tensor, index: Index | None) -> list[list[Nearest]]:
        """The nearest training items of each finished sound [batch, channels, time]."""
        if index is None:
            return [[] for _ in waveforms]
        embeddings = self.embedder.embed_audio(waveforms, self.backbone.sample_rate)
        return [
            [
                Nearest(item.id, item.prompt, similarity, item.window_start, item.window_end)
                for item, similarity in index.nearest(embedding, NEAREST)
            ]
            for embedding in embeddings
        ]


def _paths(references: References | None) -> tuple[Path, ...] | None:
    """Where references were said to lie; None if nothing was said, or a catalogue given that is loaded."""
    if references is None or isinstance(references, Catalogue):
        return None
    named = [references] if isinstance(references, str | Path) else references
    return tuple(Path(path) for path in named)


def _location(path: Path | str | None) -> str | None:
    """Where an index is, in words that hold in any folder; a URI does already."""
    return str(path.resolve()) if isinstance(path, Path) else path


def _warn_of_missing_captions(request: Request) -> None:
    """Once for each request: what its guidance cannot do near the items that have none."""
    consequence = None if request.guidance is None else request.guidance.without_captions
    index = request.index
    if consequence and index is not None and (missing := len(index.uncaptioned)):
        warnings.warn(
            f"{missing:,} of the {index.items:,} items of {index.path or 'the index'} have no caption: "
            f"{consequence}",
            stacklevel=4,
        )


class _Clock:
    """Seconds spent on each part of a batch, for the provenance."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, part: str) -> None:
        now = time.perf_counter()
        self.seconds[part] = round(now - self._last, 3)
        self._last = now


def _of_each_sound(step: Step, sounds: int, index: Index | None) -> list[TraceStep]:
    """A step of a batch as one entry a sound, neighbours by their ids."""
    unknown: list[Any] = [None] * sounds

    def named(positions: list[int | None] | None) -> list[str | None]:
        if index is None or positions is None:
            return unknown
        return [None if position is None else index.ids[position] for position in positions]

    known = (
        step.value, step.measure, step.threshold, named(step.neighbour), step.acted, step.s1, step.s2,
        named(step.fallback), step.prompt_weight,
    )  # fmt: skip
    columns: Any = [unknown if column is None else column for column in known]
    return [TraceStep(step.sigma, *of_one) for of_one in zip(*columns, strict=True)]


# How torch's allocators, and Python's own, say that there is no memory left.
_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


@contextmanager
def _explaining_out_of_memory(to_lower: Sequence[str], otherwise: str = "") -> Iterator[None]:
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
        known = isinstance(error, torch.OutOfMemoryError | MemoryError)
        if not known and not any(phrase in str(error).lower() for phrase in _NO_MEMORY):
            raise
        raise OutOfMemoryError(
            f"out of memory: lower {', or '.join(to_lower)} {otherwise}".rstrip()
        ) from error


def _memory_hogs(request: Request, batch: int) -> list[str]:
    """What a generation needs memory for, as things to lower, the cheapest to give up first."""
    hogs = [f"--batch (now {batch})"] if batch > 1 else []
    hogs += [f"--duration (now {request.duration:g} s)", "the precision (--dtype bfloat16 or float16)"]
    if request.guidance is not None and request.guidance.saves_memory is not None:
        hogs.append(request.guidance.saves_memory)
    return hogs
