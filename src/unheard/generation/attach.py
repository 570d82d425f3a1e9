"""Guidance inside a pipeline of diffusers: two lines for a script that exists."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from unheard.auditing.references import References
from unheard.backbones.families import adapter_of
from unheard.backbones.pipelines import NetworkCall, PipelineAdapter, PipelineCall
from unheard.embedders import Embedder
from unheard.errors import InputError
from unheard.generation.defaults import Defaults, read_defaults
from unheard.generation.model import Model
from unheard.generation.sound import TraceStep, trace_of_each
from unheard.generation.training_set import TrainingSet
from unheard.guidance import Denoiser, Guidance, denoiser_for
from unheard.guidance.detour.settings import REFUSE, Detour
from unheard.guidance.trajectory import Trajectory
from unheard.index import Index


def attach(
    pipeline: Any,
    *,
    index: Index | str | Path | None = "auto",
    references: References | None = None,
    guidance: Guidance | str | None = "auto",
    embedder: str | Path | Embedder | None = None,
) -> Attached:
    """Have a pipeline of diffusers steer away from a training set, whenever it is called.

        pipe = StableAudioPipeline.from_pretrained(...)
        unheard.attach(pipe, index="my-index")
        audio = pipe("An acoustic drum loop, 110 bpm").audios

    The pipeline keeps its scheduler, its arguments and its noise. Its parameters stop requiring gradients,
    until `detach`.

    Args:
        pipeline: of a family that `unheard models` names, already loaded.
        index: the training set to stay away from: an index, its path or URI; "auto" for the one that the
            pipeline's folder brings, None for none.
        references: the recordings; None where the index or the folder says them.
        guidance: settings of any kind, or a kind by name; "auto" for the calibrated detour
            (`unheard.calibrate`), else that of the pipeline's folder, or the published one; None for the
            pipeline's own result, with a trace of its noise levels.
        embedder: what measures similarity; None for the folder's, or CLAP.

    Returns:
        A handle with the `trace` of the last call, and `detach`. As a context manager it detaches at the end.

    Raises:
        InputError: a pipeline of another class, or one that is attached already; guidance without an index,
            or one that is to refuse sounds.
        IndexFileError, ModelError: as `unheard.load` and `Model.generate`.
    """
    if getattr(pipeline, "__unheard__", False):
        raise InputError("this pipeline is attached already: detach it first")
    trained = [parameter for parameter in _parameters(pipeline) if parameter.requires_grad]
    adapter = adapter_of(pipeline)
    folder = Path(str(getattr(pipeline.config, "_name_or_path", "")))
    sampling = adapter.backbone.default_sampling
    brings = folder.is_dir() and str(folder) != "."
    defaults = read_defaults(folder, sampling) if brings else Defaults(sampling=sampling)
    model = Model(adapter.backbone, defaults, embedder, folder=folder if brings else None)
    training_set = model.training_set(index, references)
    chosen = model.guidance_named(guidance, training_set) if isinstance(guidance, str) else guidance
    model.check(chosen, training_set)
    if isinstance(chosen, Detour) and chosen.if_no_way == REFUSE:
        raise InputError(
            "if_no_way is 'refuse', but a pipeline hands out every sound: take 'unconditional' or 'unguided'"
        )
    return Attached(pipeline, adapter, model, training_set, chosen, trained)


class Attached:
    """A pipeline that is guided; made by `unheard.attach`.

    Attributes:
        guidance: what guides it.
    """

    def __init__(
        self,
        pipeline: Any,
        adapter: PipelineAdapter,
        model: Model,
        training_set: TrainingSet,
        guidance: Guidance | None,
        trained: Collection[torch.nn.Parameter],
    ) -> None:
        self.guidance = guidance
        self._pipeline, self._adapter, self._model = pipeline, adapter, model
        self._training_set, self._trained = training_set, trained
        self._call: PipelineCall | None = None
        self._denoiser: Denoiser | None = None
        self._prediction: Tensor | None = None
        self._sampling, self._asking = False, False
        self._class, self._forward = type(pipeline), adapter.network.forward
        self._signature = inspect.signature(type(adapter.network).forward)
        adapter.network.forward = self._guided_forward
        pipeline.__class__ = _guided_class(self._class, self)

    def __repr__(self) -> str:
        kind = "no guidance" if self.guidance is None else self.guidance.kind
        return f"<{self._class.__name__} with {kind}>"

    @property
    def trace(self) -> list[list[TraceStep]]:
        """What happened in the last call: for each sound, one entry a denoising step."""
        if self._denoiser is None or self._call is None:
            return []
        index = self._training_set.index
        ids = None if index is None else index.ids
        steps = [trace_of_each(step, len(self._call.prompts), ids) for step in self._denoiser.trace]
        return [list(of_one) for of_one in zip(*steps, strict=True)]

    def detach(self) -> None:
        """Give the pipeline back as it was; the trace stays."""
        if type(self._pipeline) is not self._class:
            self._pipeline.__class__ = self._class
            self._adapter.network.forward = self._forward
            for parameter in self._trained:
                parameter.requires_grad_()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.detach()

    @contextmanager
    def called_with(self, arguments: Mapping[str, Any]) -> Iterator[None]:
        """A call of the pipeline: a trajectory of its own."""
        self._call, self._denoiser = self._adapter.begin(arguments), None
        self._sampling = True
        try:
            yield
        finally:
            self._sampling = False

    def _guided_forward(self, *args: Any, **kwargs: Any) -> Any:
        """The network's forward: guided where the pipeline samples, its own where the guidance asks it."""
        if self._asking or not self._sampling or self._call is None:
            return self._forward(*args, **kwargs)
        bound = self._signature.bind(self._adapter.network, *args, **kwargs)
        bound.apply_defaults()
        asked = self._adapter.read(bound.arguments, self._call)
        if asked is not None:
            self._asking = True
            try:
                self._prediction = self._guided(asked, self._call).to(asked.z.dtype)
            finally:
                self._asking = False
        assert self._prediction is not None, "the other half of a step comes second"
        return self._adapter.answer(self._prediction, bound.arguments, self._call)

    def _guided(self, asked: NetworkCall, call: PipelineCall) -> Tensor:
        """The prediction that stands for the guided estimate, [batch, *latent_shape]."""
        way = self._adapter.parameterisation
        x, sigma = way.canonical(asked.z.float(), asked.time.float())
        if self._denoiser is None:
            self._denoiser = denoiser_for(self.guidance, self._trajectory(asked, call))
        return way.prediction(x, sigma, self._denoiser(x, sigma))

    def _trajectory(self, asked: NetworkCall, call: PipelineCall) -> Trajectory:
        unconditional = asked.unconditional
        if unconditional is None:
            sounds = len(call.prompts)
            timing = [call.start] * sounds, [call.start + call.duration] * sounds
            unconditional = self._adapter.backbone.encode_unconditional([None] * sounds, *timing)
        return self._model.trajectory(
            self._training_set,
            self.guidance,
            backbone=self._adapter.backbone,
            prompts=call.prompts,
            conditional=asked.conditional,
            unconditional=unconditional,
            guidance_scale=call.guidance_scale,
            duration=call.duration,
            start=call.start,
        )


def _parameters(pipeline: Any) -> Iterator[torch.nn.Parameter]:
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            yield from part.parameters()


def _guided_class(plain: type[Any], attached: Attached) -> type[Any]:
    """The pipeline's class, under its own name, but that each call is a trajectory of its own.

    A call is looked up in the class, not in the object, so the object gets a class.
    """
    signature = inspect.signature(plain.__call__)

    @functools.wraps(plain.__call__)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        with attached.called_with(bound.arguments):
            return plain.__call__(self, *args, **kwargs)

    own = {"__call__": call, "__module__": plain.__module__, "__doc__": plain.__doc__, "__unheard__": True}
    return type(plain.__name__, (plain,), own)
