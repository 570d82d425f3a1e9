"""Building on many machines: reading, decoding and embedding as a Ray Data pipeline, committing here.

    parts of the sources -> readers -> decoders -> embedders -> this process

Each step is a pool of actors on whatever machines there are, and hands bundles of recordings to the next.
What an actor had under way when it was lost, Ray gives to another. Nothing but whole items reaches the store,
and only from here. Readers and decoders do without torch, which would take most of their memory and start.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import chain, takewhile
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, Self, cast, runtime_checkable

import numpy as np

from unheard.common.ray import cluster, ray_module, work_in
from unheard.embedders import Embedder
from unheard.errors import UnheardError
from unheard.index.building.decoding import HELD_SAMPLES, Decoded, Job
from unheard.index.building.embedded import Embedded, embedded
from unheard.index.building.engine import Engine, Outcome, Recordings, to_decode
from unheard.index.building.ledger import Ledger
from unheard.index.building.recording import Reject
from unheard.index.building.sources import Sources
from unheard.index.building.workers import decode_all
from unheard.index.store.table import Store

if TYPE_CHECKING:
    import torch

RECORDINGS_A_BUNDLE = 32
BYTES_A_BUNDLE = 1 << 24
"""Sound at which a bundle is full, however few its recordings."""

BUNDLES_AT_ONCE = 2
"""That an actor is given at a time: while it works on one, the next is on its way."""

DECODERS_A_READER = 8
PROCESSORS_A_DECODER = 4
"""Where processors embed too: a CLAP takes several times as long as decoding."""


@dataclass(frozen=True)
class Part:
    """Consecutive windows of a recording, all of them but for long ones.

    Attributes:
        decoded: with the samples of these windows.
        starts: first samples of all windows, where they are in several parts.
        number: of this part, from 0.
        parts: how many there are.
    """

    decoded: Decoded
    starts: list[int]
    number: int = 0
    parts: int = 1


@dataclass(frozen=True)
class EmbeddedPart:
    """A part, without its samples, and what came of its windows."""

    part: Part
    embedded: Embedded


@dataclass(frozen=True)
class Walked:
    """A part of the sources has been read to its end."""

    unused_captions: int


Message = Job | Part | EmbeddedPart | Outcome | Walked | UnheardError
"""What bundles are made of. Errors of ours travel like the rest, and are raised here."""

Row = dict[str, np.ndarray]
"""A row of the pipeline: {"bundle": one object, a list of messages}."""


@runtime_checkable
class Movable(Protocol):
    """An embedder that runs on one device or another, as CLAP here does."""

    @property
    def device(self) -> torch.device: ...

    def to(self, device: str | torch.device) -> Self: ...


def ray_engine(embedder: Embedder, address: str | None = None) -> Engine:
    """An engine on a Ray cluster, for `unheard.index.building.builder.build_store`.

    Where Ray runs in this process already, that is used. Else the cluster at the address, or that of
    `RAY_ADDRESS`, is joined; without either, Ray is started on this machine and stopped at the end. Sources
    and the store need the same paths on all machines.

    Args:
        embedder: it travels to the machines as it is, and runs on their GPUs where there are any.
        address: of a cluster, such as `head:6379`, or `auto` for the one that this machine belongs to.

    Raises:
        InputError: Ray is not installed.
    """
    ray_module("building")

    def outcomes(
        sources: Recordings, store: Store, ledger: Ledger, go_on: Callable[[], bool]
    ) -> Generator[Outcome]:
        joining = _Joining(embedder)
        with (
            cluster(address, "the build") as ray,
            closing(_pipeline(ray, cast(Sources, sources), store, embedder)) as bundles,
        ):
            for message in takewhile(lambda _: go_on(), chain.from_iterable(bundles)):
                if isinstance(message, UnheardError):
                    raise message
                if isinstance(message, Walked):
                    cast(Sources, sources).unused_captions = message.unused_captions
                elif (outcome := joining.whole(message)) is not None:
                    identifier = outcome.id if isinstance(outcome, Reject) else outcome.recording.id
                    if identifier is not None:
                        ledger.see(identifier)
                    yield outcome

    return outcomes


def _pipeline(ray: ModuleType, sources: Sources, store: Store, embedder: Embedder) -> Generator[list[Any]]:
    """Bundles as they come out of the embedders."""
    from ray.data import ActorPoolStrategy, DataContext, Dataset, from_items

    parts = sources.parts()
    resources = ray.cluster_resources()
    processors, gpus = resources.get("CPU", 1.0), int(resources.get("GPU", 0))
    fraction = min(1.0, processors / 2)  # of a processor: where there is one alone, it decodes and embeds
    decoders = max(1, int(processors) - gpus if gpus else int(processors) // PROCESSORS_A_DECODER)
    embedders = gpus or max(1, int(processors) - decoders)
    readers = min(len(parts), max(1, decoders // DECODERS_A_READER))
    folder = os.getcwd()

    def pool(size: int) -> dict[str, Any]:
        strategy = ActorPoolStrategy(
            min_size=1, max_size=size, initial_size=size, max_tasks_in_flight_per_actor=BUNDLES_AT_ONCE
        )
        return {"compute": strategy, "batch_size": 1, "batch_format": "numpy"}

    context = DataContext.get_current().copy()
    context.target_max_block_size = 1  # so that each row is handed on as soon as it is there
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    with DataContext.current(context):
        rows: Dataset = from_items([{"part": part} for part in parts], override_num_blocks=len(parts))
        rows = rows.map_batches(
            _Reader,
            fn_constructor_args=(folder, store.uri, embedder.sample_rate),
            num_cpus=0,
            **pool(readers),
        )
        rows = rows.map_batches(
            _Decoder,
            fn_constructor_args=(folder, _window_samples(embedder)),
            num_cpus=fraction,
            **pool(decoders),
        )
        travelling = ray.put(_on_processor(embedder))
        rows = rows.map_batches(
            _Embedder,
            fn_constructor_args=(travelling,),
            num_cpus=fraction,
            num_gpus=1 if gpus else None,
            **pool(embedders),
        )
    for row in rows.iter_batches(batch_size=None, batch_format="numpy"):
        yield from row["bundle"]


class _Reader:
    """Parts of the sources to jobs."""

    def __init__(self, folder: str, uri: str, sample_rate: int) -> None:
        work_in(folder)
        self._ledger, self._sample_rate = Ledger(Store.open(uri)), sample_rate

    def __call__(self, rows: Row) -> Iterator[Row]:
        for part in rows["part"]:
            yield from _bundled(self._read(part))

    def _read(self, part: Sources) -> Iterator[Message]:
        self._ledger.forget()  # another part, or this one if Ray has it read again
        try:
            yield from to_decode(part, self._ledger, self._sample_rate, scratch="", limits=part.limits)
            yield Walked(part.unused_captions)
        except UnheardError as error:
            yield error


class _Decoder:
    """Jobs to parts of recordings."""

    def __init__(self, folder: str, window_samples: int | None) -> None:
        import ray

        work_in(folder)
        self._window = window_samples
        self._scratch = tempfile.TemporaryDirectory(prefix="unheard-")
        # What was under way may have killed the process before, and would again.
        self._wary = BUNDLES_AT_ONCE if ray.get_runtime_context().was_current_actor_reconstructed else 0

    def __call__(self, rows: Row) -> Iterator[Row]:
        for bundle in rows["bundle"]:
            yield from _bundled(self._decoded(bundle))

    def _decoded(self, bundle: list[Message]) -> Iterator[Message]:
        jobs: list[Job | Reject] = []
        for message in bundle:
            if isinstance(message, Job):
                jobs.append(replace(message, scratch=self._scratch.name))
            elif isinstance(message, Reject):
                jobs.append(message)
            else:
                yield message
        workers, self._wary = (1, self._wary - 1) if self._wary else (0, 0)
        for outcome in decode_all(iter(jobs), workers):
            if isinstance(outcome, Decoded):
                yield from _parts(outcome, self._window)
            else:
                yield outcome


class _Embedder:
    """Parts of recordings to what came of their windows."""

    def __init__(self, embedder: Any) -> None:  # a reference to it, in Ray's store of objects
        import ray

        self._embedder: Embedder = ray.get(embedder)
        if ray.get_gpu_ids() and isinstance(self._embedder, Movable):
            self._embedder.to("cuda")

    def __call__(self, rows: Row) -> Iterator[Row]:
        for bundle in rows["bundle"]:
            yield _row(list(self._embedded(bundle)))

    def _embedded(self, bundle: list[Message]) -> Iterator[Message]:
        parts = [message for message in bundle if isinstance(message, Part)]
        yield from (message for message in bundle if not isinstance(message, Part))
        from unheard.index.building.windows import Windows

        windows = Windows(self._embedder)
        added = chain.from_iterable(windows.add(part.decoded) for part in parts)
        for part, done in zip(parts, chain(added, windows.flush()), strict=True):
            unheard = replace(part.decoded, samples=np.empty(0, np.float32))
            yield done if part.parts == 1 else EmbeddedPart(replace(part, decoded=unheard), done)


class _Joining:
    """Puts the parts of long recordings together, in whatever order they come."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._waiting: dict[str, dict[int, EmbeddedPart]] = {}

    def whole(self, message: EmbeddedPart | Outcome) -> Outcome | None:
        """What came of a recording, or None if a part of it is still to come."""
        if not isinstance(message, EmbeddedPart):
            return message
        part = message.part
        identifier = part.decoded.recording.id
        held = self._waiting.setdefault(identifier, {})
        held[part.number] = message
        if len(held) < part.parts:
            return None
        del self._waiting[identifier]
        pieces = [held[number].embedded for number in range(part.parts)]
        vectors = np.concatenate([piece.embeddings for piece in pieces])
        silent = [is_silent for piece in pieces for is_silent in piece.silent]
        return embedded(part.decoded, part.starts, vectors, silent, self._embedder)


def _parts(decoded: Decoded, window: int | None) -> Iterator[Part]:
    """A recording in parts of at most `HELD_SAMPLES`; whole if it is no longer, or if `window` is None."""
    samples = decoded.open()
    if window is None or len(samples) <= HELD_SAMPLES:
        yield Part(replace(decoded, samples=np.array(samples)), [])
    else:
        from unheard.embedders.clap import window_starts

        starts = window_starts(len(samples), window)
        together = max(1, (HELD_SAMPLES - window) // max(1, starts[1]) + 1)
        groups = [starts[first : first + together] for first in range(0, len(starts), together)]
        for number, group in enumerate(groups):
            few = np.array(samples[group[0] : group[-1] + window])
            part = replace(decoded, samples=few, starts=[start - group[0] for start in group])
            yield Part(part, starts, number, len(groups))
    del samples
    decoded.close()


def _window_samples(embedder: Embedder) -> int | None:
    """The window by which long recordings are cut into parts; None where how they are is not known."""
    from unheard.embedders.clap import ClapEmbedder

    return embedder.window_samples if isinstance(embedder, ClapEmbedder) else None


def _on_processor(embedder: Embedder) -> Embedder:
    """An embedder that a machine without a GPU can take delivery of."""
    if not isinstance(embedder, Movable) or embedder.device.type == "cpu":
        return embedder
    return deepcopy(embedder).to("cpu")


def _bundled(messages: Iterator[Message]) -> Iterator[Row]:
    bundle: list[Message] = []
    size = 0
    for message in messages:
        bundle.append(message)
        if isinstance(message, Job):
            size += len(message.recording.content or b"")
        elif isinstance(message, Part):
            size += cast(np.ndarray, message.decoded.samples).nbytes
        if len(bundle) == RECORDINGS_A_BUNDLE or size >= BYTES_A_BUNDLE:
            yield _row(bundle)
            bundle, size = [], 0
    if bundle:
        yield _row(bundle)


def _row(bundle: list[Message]) -> Row:
    column = np.empty(1, dtype=object)
    column[0] = bundle
    return {"bundle": column}
