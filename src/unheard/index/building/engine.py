"""What decodes and embeds: the local engine, and what one on many machines has to be like."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import takewhile
from typing import Protocol

from unheard.common.checks import require_whole
from unheard.common.sound_limits import SoundLimits, current_limits
from unheard.embedders import Embedder
from unheard.index.building.decoding import Decoded, Job, Unchanged
from unheard.index.building.embedded import Embedded
from unheard.index.building.ledger import Ledger
from unheard.index.building.recording import Recording, Reject
from unheard.index.building.workers import decode_all
from unheard.index.store.table import Store

MOST_WORKERS = 1_024
"""Processes that decode: more than one machine has cores, and each takes memory of its own."""


class Recordings(Protocol):
    """What is built from, as `Sources` is."""

    def __iter__(self) -> Iterator[Recording | Reject]: ...

    def count(self) -> int | None: ...

    @property
    def unused_captions(self) -> int: ...


Outcome = Embedded | Unchanged | Reject
"""What comes of a recording."""


class Engine(Protocol):
    """What decodes and embeds: `local_engine`, or many machines (`unheard.index.building.ray`)."""

    def __call__(
        self, sources: Recordings, store: Store, ledger: Ledger, go_on: Callable[[], bool]
    ) -> Generator[Outcome]:
        """One outcome for each recording, in any order.

        Args:
            sources: what to build from.
            store: what the index holds.
            ledger: the same by id; is told of every id that is come by.
            go_on: whether to begin further recordings; what is under way is finished in any case.
        """


def local_engine(embedder: Embedder, workers: int | None = None) -> Engine:
    """Decoding in worker processes, embedding in this one, in the order of the sources.

    Args:
        embedder: embeds what was decoded.
        workers: processes that decode, up to `MOST_WORKERS`; None for one a core, 0 for none beside this one.

    Raises:
        InputError: `workers` is no such number.
    """
    processes = _workers(workers)

    def outcomes(
        sources: Recordings, store: Store, ledger: Ledger, go_on: Callable[[], bool]
    ) -> Generator[Outcome]:
        from unheard.index.building.windows import Windows  # with torch, which Ray's readers do without

        windows = Windows(embedder)
        with tempfile.TemporaryDirectory(prefix="unheard-") as scratch:
            jobs = to_decode(sources, ledger, embedder.sample_rate, scratch)
            for outcome in decode_all(takewhile(lambda _: go_on(), jobs), processes):
                if isinstance(outcome, Decoded):
                    yield from windows.add(outcome)
                else:
                    yield outcome
            yield from windows.flush()

    return outcomes


def to_decode(
    sources: Iterable[Recording | Reject],
    ledger: Ledger,
    sample_rate: int,
    scratch: str,
    limits: SoundLimits | None = None,
) -> Iterator[Job | Reject]:
    """The jobs of recordings; of two with one id, the first is taken.

    Args:
        sources: what to build from.
        ledger: what the store held when the build began.
        sample_rate: of the embedder.
        scratch: folder for long recordings under way.
        limits: of what is read of a sound; those in force if left out.
    """
    limits = current_limits() if limits is None else limits
    for found in sources:
        if isinstance(found, Reject):
            yield found
        elif not ledger.see(found.id):
            yield Reject(found.source, f"the id {found.id!r} came before; give ids in a manifest", found.id)
        else:
            known = ledger.known(found.id)
            yield Job(found, sample_rate, None if known is None else known.content_sha256, scratch, limits)


def _workers(given: int | None) -> int:
    if given is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    require_whole("workers", given, 0, MOST_WORKERS)
    return given
