"""Evaluating on many machines: generating and judging by actors, writing here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from unheard.common.ray import cluster, ray_module, work_in
from unheard.evaluation.batch import Batch, Generated, Row
from unheard.evaluation.engine import Engine
from unheard.evaluation.experiment import Experiment
from unheard.evaluation.local_engine import LocalEngine

RETRIES = 3
"""How often a batch is given to another actor when one is lost."""


@contextmanager
def ray_engine(experiment: Experiment, address: str | None = None) -> Iterator[Engine]:
    """An engine on a Ray cluster (`unheard.common.ray.cluster`): an actor a GPU, or a processor without any.

    Every actor loads the models and the judges itself, so what the experiment names by path has to be there
    on all machines. An actor that is lost is started again, and its batch made again. The cluster is asked
    when there is work, and let go at the end.

    Raises:
        InputError: Ray is not installed.
    """
    ray_module("the evaluation")
    with ExitStack() as until_the_end:
        yield _RayEngine(experiment, address, until_the_end)


class _RayEngine:
    def __init__(self, experiment: Experiment, address: str | None, until_the_end: ExitStack) -> None:
        self._experiment, self._address, self._until_the_end = experiment, address, until_the_end
        self._actors: list[Any] = []

    def generate(self, batches: Sequence[Batch]) -> Iterator[tuple[Batch, Generated]]:
        if batches:
            pool = self._pool(len(batches))
            yield from pool.map_unordered(lambda actor, batch: actor.generate.remote(batch), batches)

    def judge(
        self, batches: Sequence[Batch], generated: Callable[[Batch], Generated]
    ) -> Iterator[tuple[Batch, list[Row]]]:
        if batches:
            pool = self._pool(len(batches))
            yield from pool.map_unordered(
                lambda actor, batch: actor.judge.remote(batch, generated(batch)), batches
            )

    def _pool(self, batches: int) -> Any:
        """Actors that do nothing yet; those that are there, and as many more as batches can use."""
        if not self._actors:
            self._ray = self._until_the_end.enter_context(cluster(self._address, "the evaluation"))
        from ray.util import ActorPool

        resources = self._ray.cluster_resources()
        gpus = int(resources.get("GPU", 0))
        wanted = min(gpus or max(1, int(resources.get("CPU", 1))), batches)
        worker = self._ray.remote(
            num_cpus=0 if gpus else 1, num_gpus=1 if gpus else 0,
            max_restarts=RETRIES, max_task_retries=RETRIES,
        )(_Worker)  # fmt: skip
        while len(self._actors) < wanted:
            self._actors.append(worker.remote(self._experiment, os.getcwd()))
        return ActorPool(self._actors)


class _Worker:
    """A local engine on some machine."""

    def __init__(self, experiment: Experiment, folder: str) -> None:
        work_in(folder)
        self._local = LocalEngine(experiment)

    def generate(self, batch: Batch) -> tuple[Batch, Generated]:
        return next(self._local.generate([batch]))

    def judge(self, batch: Batch, generated: Generated) -> tuple[Batch, list[Row]]:
        return next(self._local.judge([batch], lambda _: generated))
