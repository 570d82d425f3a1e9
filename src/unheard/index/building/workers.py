"""Decoding in worker processes, in order, with a bounded number of recordings under way."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.connection import wait
from multiprocessing.context import SpawnContext, SpawnProcess
from types import ModuleType
from typing import cast

from unheard.errors import InputError
from unheard.index.building.decoding import Decoded, Job, Unchanged, decode
from unheard.index.building.recording import Reject

Outcome = Decoded | Unchanged | Reject

JOBS_A_WORKER = 4
"""Recordings under way for each worker: enough that none waits, few enough for bounded memory."""


def decode_all(jobs: Iterable[Job | Reject], workers: int) -> Iterator[Outcome]:
    """What `decode` makes of each job, in the order of the jobs; rejects among them are passed on.

    A recording that kills its worker (a decoder's crash, the system's memory guard) is rejected, and the
    others go on.

    Args:
        jobs: asked for as workers become free.
        workers: processes; 0 decodes in this one.
    """
    if workers == 0:
        for job in jobs:
            yield job if isinstance(job, Reject) else decode(job)
        return
    pool = _pool(workers)
    under_way: deque[tuple[Job | Reject, Future[Outcome] | None]] = deque()
    upcoming = (job if isinstance(job, Reject) else job.laid_down() for job in jobs)
    try:
        while True:
            for job in islice(upcoming, workers * JOBS_A_WORKER - len(under_way)):
                under_way.append((job, None if isinstance(job, Reject) else _submit(pool, job)))
            if not under_way:
                return
            job, future = under_way.popleft()
            if isinstance(job, Reject) or future is None:
                yield cast(Reject, job)
                continue
            try:
                yield future.result()
            except BrokenProcessPool:
                # All that was under way is lost with the pool; one at a time they show which is to blame.
                pool = _renewed(pool, workers)
                lost = [job, *(other for other, _ in under_way)]
                under_way.clear()
                for job in lost:
                    if isinstance(job, Reject):
                        yield job
                        continue
                    try:
                        yield _submit(pool, job).result()
                    except BrokenProcessPool:
                        pool = _renewed(pool, workers)
                        reason = "decoding it killed the process, by a crash or for its memory"
                        yield Reject(job.recording.source, reason, job.recording.id)
    finally:
        # Waited for: where a process of `multiprocessing` ends now, the queue that tells workers to end may
        # be closed before it has, and all of them wait for ever.
        pool.shutdown(cancel_futures=True)


def _submit(pool: ProcessPoolExecutor, job: Job) -> Future[Outcome]:
    """Its outcome to come; broken, if the pool is, or breaks while a process is started for it."""
    try:
        return pool.submit(decode, job)
    except (BrokenProcessPool, OSError) as error:  # which those under way will come by, too
        future: Future[Outcome] = Future()
        future.set_exception(BrokenProcessPool(str(error)))
        return future


def _renewed(broken: ProcessPoolExecutor, workers: int) -> ProcessPoolExecutor:
    broken.shutdown(wait=False, cancel_futures=True)
    return _pool(workers)


def _pool(workers: int) -> ProcessPoolExecutor:
    """Processes that decode, once one of them has shown that they can be started.

    Raises:
        InputError: they cannot.
    """
    pool = ProcessPoolExecutor(workers, _WithoutMain(), initializer=_start_worker)
    try:
        pool.submit(os.getpid).result()
    except (OSError, BrokenProcessPool) as error:
        pool.shutdown(wait=False, cancel_futures=True)
        raise InputError(
            "the processes that decode end as soon as they are started: decode in this one (--workers 0, "
            "workers=0)"
        ) from error
    return pool


class _Worker(SpawnProcess):
    """A process that does not run the program's main file anew, as Python's own would.

    So it needs no main guard there, and takes programs from standard input too.
    """

    def start(self) -> None:
        main, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
        try:
            super().start()
        finally:
            sys.modules["__main__"] = main


class _WithoutMain(SpawnContext):
    """Not forked: the threads of torch, which this process has loaded, do not survive it."""

    Process = _Worker


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the builder's to handle
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
