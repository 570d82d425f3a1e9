"""The whole story: load a model, generate sounds.

prompts -> conditioning -> sampler over a guided denoiser -> decoded waveforms -> nearest items -> sounds
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from unheard.auditing.assembly import auditor_for
from unheard.auditing.auditor import Auditor
from unheard.auditing.references import References
from unheard.backbones import hub, load_backbone
from unheard.backbones.base import Backbone
from unheard.backbones.fingerprint import fingerprint as fingerprint_of
from unheard.backbones.lora import Given, LoRA, given_loras
from unheard.common.progress import Report
from unheard.embedders import Embedder, load_embedder
from unheard.errors import InputError, RejectedError
from unheard.generation import provenance
from unheard.generation import request as checks
from unheard.generation.batches import BatchMaker, Progress
from unheard.generation.calibration import advice
from unheard.generation.calibration.record import Calibration, find, is_any_for
from unheard.generation.defaults import AUTO, Defaults, read_defaults
from unheard.generation.gate_heads import kept
from unheard.generation.gate_heads.kept import Kept
from unheard.generation.init_audio import InitAudio
from unheard.generation.next_way import on_the_next_way
from unheard.generation.out_of_memory import PRECISION, explaining_out_of_memory
from unheard.generation.rejection import Refused, passing, raise_if_any
from unheard.generation.request import DEFAULT_RETRIES, Batch, Request
from unheard.generation.sound import Sound
from unheard.generation.training_set import TrainingSet
from unheard.generation.unknown_words import warn_of_unknown_words
from unheard.generation.withheld import handed_out
from unheard.guidance import AMG, Guidance
from unheard.guidance.base import GuidanceWarning
from unheard.guidance.detour.coarse_latents import CoarseLatentsCache
from unheard.guidance.detour.recording_latents import Encoded, RecordingLatents
from unheard.guidance.detour.settings import Detour
from unheard.guidance.gated import is_gated, with_thresholds_of
from unheard.guidance.trajectory import Trajectory
from unheard.index import Index

if TYPE_CHECKING:
    from unheard.guidance.amg.gate_head import Fit, GateHead

LOG = logging.getLogger("unheard")
"""What a service may listen to: a line for each sound, at INFO."""


def load(
    model: str | Path = "tiny",
    *,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype | None = None,
    embedder: str | Path | Embedder | None = None,
    lora: Sequence[Given] = (),
    text_encoder: str | Path | None = None,
    compile: bool = False,
) -> Model:
    """Load a model to generate with.

    Args:
        model: `tiny`, a folder in diffusers' layout or in that of stable-audio-tools, a checkpoint in such a
            folder, or `owner/name` on the Hugging Face hub.
        device: auto, cpu, cuda, cuda:N or mps.
        dtype: float32 (also None), float16 or bfloat16.
        embedder: what measures similarity: a folder, a hub id, or an embedder; None for the model's own. It
            is loaded when it is first needed.
        lora, text_encoder: see `unheard.load_backbone`.
        compile: whether its denoiser is compiled, see `unheard.Backbone.compile`.

    Raises:
        ModelError: the model cannot be found or loaded, a LoRA does not fit it, or its own settings cannot be
            read.
        InputError: an unknown or absent device, an unknown dtype, a LoRA that is not there, an option that
            the model does not take.
    """
    loras = given_loras(lora)
    with explaining_out_of_memory([PRECISION], "or use --device cpu"):
        backbone = load_backbone(model, device=device, dtype=dtype, lora=loras, text_encoder=text_encoder)
    if compile:
        backbone.compile()
    folder = hub.fetch(model)
    return Model(
        backbone,
        read_defaults(folder, backbone.default_sampling),
        embedder,
        hub.full_name(model),
        folder,
        loras,
        None if text_encoder is None else hub.full_name(text_encoder),
    )


class Model:
    """A backbone, the embedder that measures similarity, and the settings that travel with them.

    Args:
        backbone: see `unheard.Backbone`.
        defaults: what holds where nothing is said.
        embedder: a folder, a hub id, or an embedder; None for the one in `defaults`.
        name: what `load` finds the model by; the backbone's own name if left out.
        folder: the model's own, with what else it brings; None for none.
        loras: those that the backbone's weights were changed by.
        text_encoder: the folder of the text encoder, where it was given.
    """

    def __init__(
        self,
        backbone: Backbone,
        defaults: Defaults | None = None,
        embedder: str | Path | Embedder | None = None,
        name: str | None = None,
        folder: Path | None = None,
        loras: Sequence[LoRA] = (),
        text_encoder: str | None = None,
    ) -> None:
        self.backbone = backbone
        self.name = backbone.name if name is None else name
        self.defaults = Defaults(sampling=backbone.default_sampling) if defaults is None else defaults
        self.loras = tuple(loras)
        self._text_encoder = text_encoder
        self._given_embedder = embedder
        self._folder = folder
        self._latents = RecordingLatents(backbone, folder)
        self._coarse_latents = CoarseLatentsCache(backbone)

    def __repr__(self) -> str:
        backbone = self.backbone
        return (
            f"<Model {self.name}: up to {backbone.max_duration:.2f} s, {backbone.audio_channels} x "
            f"{backbone.sample_rate:,} Hz, on {backbone.device}>"
        )

    @cached_property
    def embedder(self) -> Embedder:
        """What measures similarity; loaded when first asked for."""
        given = self.defaults.embedder if self._given_embedder is None else self._given_embedder
        return load_embedder(given, device=self.backbone.device) if isinstance(given, str | Path) else given

    @cached_property
    def index(self) -> Index | None:
        """The training set that the model brings, or None; read when first asked for."""
        return None if self.defaults.index is None else Index.open(self.defaults.index)

    def training_set(
        self, index: Index | str | Path | None = "auto", references: References | None = None
    ) -> TrainingSet:
        """The training set to stay away from, and its recordings.

        Args:
            index: an index, its path or URI, "auto" for the one that the model brings, or None for none.
            references: the recordings: a catalogue, a folder or files; None for those of the index, or those
                that the model brings.

        Raises:
            IndexFileError: an index that cannot be read, or was made by another embedder.
            ModelError: the embedder cannot be loaded.
        """
        own = str(index) in ("auto", str(self.defaults.index)) if isinstance(index, str | Path) else False
        return TrainingSet.open(
            self.index if own else index,
            references,
            defaults=self.defaults,
            load_embedder=lambda: self.embedder,
            device=self.backbone.device,
        )

    @cached_property
    def fingerprint(self) -> str | None:
        """What tells its weights, with all that they were changed by, from any others; None if nothing does.

        Of a pipeline that is attached to it is that of the folder that the pipeline says it was loaded from.
        """
        own, components = self.backbone.fingerprint, self.backbone.components
        if own is None and self._folder is not None and components:
            own = fingerprint_of(self._folder, components)
        if own is None or not (self.loras or self._text_encoder):
            return own
        changes = [own, [(lora.sha256, lora.weight) for lora in self.loras], self._text_encoder]
        return f"sha256:{hashlib.sha256(json.dumps(changes, sort_keys=True).encode()).hexdigest()}"

    def calibration(self, training_set: TrainingSet) -> Calibration | None:
        """The detour's thresholds on a training set: the user's calibration, or the one the model brings.

        None as well where the model brings settings of the detour for its own training set.

        Raises:
            InputError: it is damaged.
        """
        index, brought = training_set.index, self.defaults.calibration
        if index is None or (self._brings_detour and training_set.own):
            return None
        if brought is None and not is_any_for(index.sha256):
            return None  # before the fingerprint is asked for, which may read all weights
        return find(self.fingerprint, index.sha256, brought)

    def calibrated_by(self, request: Request, training_set: TrainingSet) -> Calibration | None:
        """The calibration whose thresholds the guidance of a request has, or None."""
        if not is_gated(request.guidance):
            return None
        found, recordings = self.calibration(training_set), len(training_set.recordings)
        gives = found is not None and found.gives(request.guidance, request.duration, recordings)
        return found if gives else None

    def guidance_named(
        self, kind: str, training_set: TrainingSet, duration: float | None = None
    ) -> Guidance | None:
        """The guidance of a kind on a training set; "auto" for the calibrated detour, or the model's own.

        A calibration whose suspected captions do not separate leaves "auto" at the model's own.

        Args:
            kind: see `Defaults.guidance_named`.
            training_set: whose calibration counts.
            duration: of the sounds; None for the model's default.

        Raises:
            InputError: there is no such kind, or the calibration is damaged.
        """
        own = self.defaults.guidance_named(kind)
        if kind != AUTO and not is_gated(own):
            return own
        calibrated = self.calibration(training_set)
        if calibrated is None or (kind == AUTO and calibrated.separates is False):
            return own
        seconds = self.defaults.duration if duration is None else duration
        detour = calibrated.detour(seconds, len(training_set.recordings))
        if kind in (AUTO, Detour.kind) or not is_gated(own):
            return detour
        return with_thresholds_of(own, detour)

    def check(self, guidance: Guidance | None, training_set: TrainingSet) -> None:
        """Whether a guidance can do with a training set; warns of what it cannot do, once.

        Raises:
            InputError: the guidance needs an index, and there is none; or a damaged calibration.
        """
        first = training_set.check(guidance, self.name)
        if guidance is None or not first:
            return
        calibration, told = self.calibration(training_set), None
        if calibration is not None and calibration.separates is False:
            told = advice.NOT_SEPARATE
        elif calibration is None and not self._brings_detour and advice.is_published(guidance):
            sigmas = self.backbone.sigmas(self.defaults.sampling)[:-1].tolist()
            told = advice.to_calibrate(self.name, training_set, sigmas)
        if told is not None:
            warnings.warn(told, GuidanceWarning, stacklevel=4)

    @property
    def _brings_detour(self) -> bool:
        return isinstance(self.defaults.guidance, Detour)

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
        schedule: str | None = None,
        noise: str | None = None,
        lyrics: str | None = None,
        init_audio: str | Path | None = None,
        init_noise_level: float | None = None,
        guidance: Guidance | str | None = "auto",
        index: str | Path | None = "auto",
        references: str | Path | Sequence[str | Path] | None = None,
        reject: str | None = None,
        retries: int = DEFAULT_RETRIES,
    ) -> Request:
        """Check what is asked for, and fill in the model's own settings where nothing is said; reads no file.

        Args:
            prompts: one or several, at most 2,000 characters each.
            duration: seconds, at least 0.01 and at most what the model can make.
            start: seconds into the piece at which the sound begins, at least 0.
            seed: one for each prompt; or a number that every prompt takes, and a prompt given again the next.
                A seed gives the same sound in any batch, up to the rounding of the arithmetic.
            batch: sounds generated at once; None for all of them up to 4.
            num_inference_steps, guidance_scale, sampler, sigma_min, sigma_max, schedule, noise: see
                `unheard.Sampling`.
            negative_prompt: what the sounds shall not be.
            lyrics: what is sung, in all of them; for models of songs.
            init_audio: a recording that the sounds begin from, in place of pure noise.
            init_noise_level: how much noise is put on it: a noise level sigma (Stable Audio Open, AudioLDM),
                or for a flow the share of noise, below 1; None for 1. Guidance begins where the sound does.
            guidance: settings of any kind, such as `unheard.Detour()`; a kind by name, such as "detour";
                "auto" for the model's own; None or "none" for classifier-free guidance alone. For a name
                `stream` looks for a calibration, see `guidance_named`.
            index: path or URI of the training set to stay away from; "auto" for the model's own, None for
                none. Without guidance it is still asked for the nearest items.
            references: paths of the training set's recordings; None where the index or the model says them.
            reject: a verdict ("copy", "partial copy", "similar"): every sound is audited, and one as bad or
                worse is made again with another seed and stronger guidance, see
                `unheard.generation.rejection`.
            retries: how often, at most.

        Raises:
            InputError: a value that cannot be used.
        """
        texts = checks.check_prompts(prompts)
        if negative_prompt is not None:
            checks.check_prompt(negative_prompt, "negative prompt")
        if lyrics is not None:
            checks.check_prompt(lyrics, "lyrics")
        checks.check_rejection(reject, retries)
        if duration is None:
            duration = min(self.defaults.duration, self.backbone.max_duration)
        given: dict[str, Any] = {
            "sampler": sampler,
            "num_inference_steps": num_inference_steps,
            "sigma_min": sigma_min,
            "sigma_max": sigma_max,
            "guidance_scale": guidance_scale,
            "schedule": schedule,
            "noise": noise,
        }
        given = {name: value for name, value in given.items() if value is not None}
        chosen = self.defaults.guidance_named(guidance) if isinstance(guidance, str) else guidance
        sampling = replace(self.defaults.sampling, **given)
        noise_level = checks.check_noise_level(self.backbone, sampling, init_audio, init_noise_level)
        checks.check_schedule(sampling, given)
        self.backbone.check_sampling(sampling)
        checks.check_accepted(
            self.backbone, start=start or None, negative_prompt=negative_prompt, lyrics=lyrics
        )
        where = self.defaults.index if index == "auto" else index
        return Request(
            prompts=texts,
            seeds=checks.seeds_for(texts, seed),
            negative_prompt=negative_prompt,
            duration=checks.check_duration(duration, self.backbone.max_duration, self.backbone.name),
            start=checks.check_start(start),
            batch=checks.check_batch(batch, len(texts)),
            sampling=sampling,
            guidance=chosen,
            index=None if where is None else str(where),
            references=checks.check_references(references),
            reject=reject,
            retries=retries,
            lyrics=lyrics,
            init_audio=None if init_audio is None else str(init_audio),
            init_noise_level=noise_level,
            guidance_kind=guidance if isinstance(guidance, str) else None,
        )

    def generate(
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
        schedule: str | None = None,
        noise: str | None = None,
        lyrics: str | None = None,
        init_audio: InitAudio | str | Path | tuple[Tensor, int] | None = None,
        init_noise_level: float | None = None,
        guidance: Guidance | str | None = "auto",
        index: Index | str | Path | None = "auto",
        references: References | None = None,
        reject: str | None = None,
        retries: int = DEFAULT_RETRIES,
        progress: Callable[[Progress], None] | None = None,
    ) -> list[Sound]:
        """Generate one sound for each prompt.

        Args:
            prompts, duration, start, seed, batch, negative_prompt, lyrics, init_noise_level: see `request`.
            num_inference_steps, guidance_scale, sampler, sigma_min, sigma_max, schedule, noise: see
                `request`.
            guidance, reject, retries: see `request`.
            init_audio: see `request`; also a pair of a waveform [channels, time] and its sample rate.
            index, references: see `training_set`.
            progress: called after each denoising step.

        Returns:
            The sounds in the order of the prompts.

        Raises:
            InputError: a value that cannot be used, guidance without an index, `reject` without references.
            IndexFileError: an index that cannot be read, or was made by another embedder.
            ModelError: the embedder cannot be loaded, or the model gives no numbers.
            GuidanceError: a similarity or a gradient that is not finite.
            OutOfMemoryError: the message says what to lower. `stream` hands out what was finished before.
            RejectedError: no attempt at a sound passed `reject`; has the others under `sounds`.
        """
        begin = None if init_audio is None else InitAudio.of(init_audio)
        request = self.request(
            prompts,
            duration=duration,
            start=start,
            seed=seed,
            batch=batch,
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            negative_prompt=negative_prompt,
            sampler=sampler,
            sigma_min=sigma_min,
            sigma_max=sigma_max,
            schedule=schedule,
            noise=noise,
            lyrics=lyrics,
            init_audio=None if begin is None else begin.path or "a waveform",
            init_noise_level=init_noise_level,
            guidance=guidance,
            reject=reject,
            retries=retries,
        )
        sounds: dict[int, Sound] = {}
        try:
            training_set = self.training_set(index, references)
            stream = self.stream(request, training_set, progress, init_audio=begin)
            self.warn_of_unknown_words(request)
            for sound in stream:
                sounds[sound.number] = sound
        except RejectedError as error:
            error.sounds = [sounds[number] for number in sorted(sounds)]
            raise
        return [sounds[number] for number in sorted(sounds)]

    def warn_of_unknown_words(self, request: Request) -> None:
        """Warn in one line of what the model cannot read in the prompts; asked before any work."""
        warn_of_unknown_words(self.backbone, self.name, request)

    def stream(
        self,
        request: Request,
        training_set: TrainingSet | None = None,
        progress: Callable[[Progress], None] | None = None,
        *,
        init_audio: InitAudio | None = None,
    ) -> Iterator[Sound]:
        """Generate batch after batch; every sound of a batch is handed out before the next batch begins.

        What is wrong with the training set is found out at once, before the first sound is asked for. With
        rejection, sounds come as they pass, so that a later one may come first; `Sound.number` tells.

        Args:
            request: what is asked for, of `request`.
            training_set: in place of what the request names by its paths.
            progress: called after each denoising step.
            init_audio: in place of the recording that the request names by its path.

        Raises:
            InputError, IndexFileError, ModelError: at once, see `generate`.
            RejectedError: at the end, if some sounds were not handed out.
        """
        if training_set is None:
            training_set = self.training_set(request.index, request.named_references)
        request = self._calibrated(request, training_set)
        auditor = None if request.reject is None else self.auditor(training_set)
        self.check(request.guidance, training_set)
        if init_audio is None and request.init_audio is not None:
            init_audio = InitAudio.of(request.init_audio)
        make = BatchMaker(
            backbone=self.backbone,
            name=self.name,
            load_embedder=lambda: self.embedder,
            trajectory=partial(self.trajectory, training_set),
            record=partial(self.record_of, training_set=training_set, init_audio=init_audio),
            training_set=training_set,
            begin=None if init_audio is None else cache(partial(init_audio.latents, self.backbone)),
            progress=progress,
        )
        return _logged(_stream(request, auditor, on_the_next_way(make, training_set)))

    def _calibrated(self, request: Request, training_set: TrainingSet) -> Request:
        """A request whose guidance was asked for by its name, with the thresholds of a calibration."""
        kind = request.guidance_kind
        if kind is None or request.guidance != self.defaults.guidance_named(kind):
            return request  # settings, or what took their place since
        return replace(request, guidance=self.guidance_named(kind, training_set, request.duration))

    def encode_recordings(
        self,
        index: Index | str | Path,
        *,
        references: References | None = None,
        progress: Report | None = None,
    ) -> Encoded:
        """Encode the recordings of a training set, so that a detour looks at all of them, and waits for none.

        What is made is cached at once: it can be stopped and called again. Once all are done, a sound is
        compared at each step with those that it is nearest to, of all
        (`unheard.guidance.detour.coarse_latents`).

        Args:
            index: the training set.
            references: its recordings, where it does not say where they lie: a folder or files, with ids as
                file names.
            progress: called with how many recordings are done, and how many there are.

        Raises:
            InputError: the index cannot be read, or none of its recordings is available.
        """
        known = Index.open(index) if isinstance(index, str | Path) else index
        own, brought = self.defaults.bring(known), self.defaults.references
        recordings = TrainingSet(known, references, own=own, brought=brought).recordings
        if not recordings:
            raise InputError(
                f"no recording of {known.path or 'the index'} is available: name the folder (--references "
                "FOLDER, references=...; its file names are the ids)"
            )
        encoded = Encoded()
        means: dict[str, Tensor] = {}
        for item in known.ids:
            if item not in recordings:
                encoded.left_out[item] = "its recording is not available"
        for number, (item, path) in enumerate(recordings.items(), 1):
            try:
                latents, made = self._latents.made(path)
                means[item] = self._coarse_latents.means_of(latents)
                encoded.made += made
                encoded.there += not made
            except InputError as error:
                encoded.left_out[item] = str(error)
            if progress is not None:
                progress(number, len(recordings))
        if means:
            self._coarse_latents.write(recordings, means)
        return encoded

    def record_of(
        self,
        request: Request,
        batch: Batch,
        position: int,
        training_set: TrainingSet,
        init_audio: InitAudio | None = None,
        seconds: Mapping[str, float] | None = None,
    ) -> dict[str, Any]:
        """What the provenance of one sound of a batch says but for what came out, which is known before.

        Args:
            request: what is asked for.
            batch, position: the sounds that are made together, and which of them.
            training_set: what is stayed away from.
            init_audio: in place of the recording that the request names by its path.
            seconds: what the parts of the batch took, once that is known.
        """
        sources = {
            **self._describe(training_set.index),
            **training_set.describe(_uses_recordings(request.guidance)),
        }
        if sources["recordings"] and (encoded := self.encoded(training_set)):
            sources["recordings"]["encoded"] = encoded
        if isinstance(request.guidance, AMG) and request.guidance.gate_head:
            sources["gate_head"] = self.gate_head(request.duration).describe()
        if (calibration := self.calibrated_by(request, training_set)) is not None:
            sources["calibration"] = calibration.describe()
        if init_audio is None and request.init_audio is not None:
            init_audio = InitAudio.of(request.init_audio)
        if init_audio is not None and request.init_noise_level is not None:
            sources["init_audio"] = init_audio.describe(request.init_noise_level)
        machine = provenance.machine(self.backbone)
        return provenance.record(request, batch, position, sources, machine, seconds or {})

    def trajectory(
        self, training_set: TrainingSet, guidance: Guidance | None, *, backbone: Backbone, **sounds: Any
    ) -> Trajectory:
        """What a guidance is given of sounds on their way, which are the other fields of `Trajectory`."""
        recordings = training_set.recordings if _uses_recordings(guidance) else {}
        return Trajectory(
            backbone=backbone,
            load_embedder=lambda: self.embedder,
            latents_of=self._latents.of,
            find_gate_head=self._gate_head,
            find_coarse_latents=partial(self._coarse_latents.of, training_set.located if recordings else {}),
            training_set=training_set.index,
            recordings=recordings,
            memorised=bool(recordings) and training_set.only_memorised,
            **sounds,
        )

    def encoded(self, training_set: TrainingSet) -> int:
        """How many recordings were encoded beforehand: all of these a detour may compare with."""
        coarse = self._coarse_latents.of(training_set.located)
        if coarse is None or training_set.share == 1.0:
            return len(coarse or ())
        return len(training_set.recordings.keys() & coarse.names)

    def gate_head(self, duration: float) -> Kept:
        """The head that foresees the gate of AMG in sounds of a duration.

        Raises:
            InputError: there is none, or it is damaged.
        """
        return kept.find(
            self.backbone, self.fingerprint, self.embedder.sha256, duration, self.defaults.gate_head
        )

    def _gate_head(self, duration: float) -> tuple[GateHead, Fit]:
        found = self.gate_head(duration)
        return found.head, found.fit

    def auditor(self, training_set: TrainingSet) -> Auditor:
        """What judges sounds by the recordings of a training set; the first one may fingerprint them all.

        Raises:
            InputError: no recordings are available.
        """
        index = training_set.index
        embedder = None if index is None else self.embedder
        return auditor_for(training_set.references, index, training_set.brought, embedder)

    def _describe(self, index: Index | None) -> dict[str, Any]:
        """Model and embedder with their hashes; "given" is None for what the model brings itself."""
        described: dict[str, Any] = {
            "model": {"name": self.name, "fingerprint": self.backbone.fingerprint},
            "embedder": None,
        }
        if self.loras:
            described["model"]["lora"] = [lora.describe() for lora in self.loras]
        if self._text_encoder is not None:
            described["model"]["text_encoder"] = self._text_encoder
        if index is not None:
            given = self._given_embedder
            if isinstance(given, str | Path) and os.path.isdir(given):
                given = Path(given).resolve()
            described["embedder"] = {
                "name": self.embedder.name,
                "given": str(given) if isinstance(given, str | Path) else None,
                "sha256": self.embedder.sha256,
            }
        return described


def _stream(
    request: Request, auditor: Auditor | None, make: Callable[[Request, Batch, int], list[Sound]]
) -> Iterator[Sound]:
    """The sounds of all batches, as `make` makes them, or as they pass the auditor."""
    refused: list[Refused] = []

    def passed(batch: Batch) -> Iterator[Sound]:
        if auditor is None:
            yield from make(request, batch, 0)
        else:
            refused.extend((yield from passing(request, batch, auditor, make)))

    for batch in request.batches():
        refused += yield from handed_out(passed(batch))
    raise_if_any(refused, request)


def _logged(sounds: Iterator[Sound]) -> Iterator[Sound]:
    """Sounds as they are, with a line each for whoever keeps a log."""
    for sound in sounds:
        LOG.info("%s: %s, seed %d: %s", sound.number, sound.prompt, sound.seed, sound.outcome)
        yield sound


def _uses_recordings(guidance: Guidance | None) -> bool:
    return guidance is not None and guidance.uses_recordings
