"""Evaluating on many machines: generating and judging by actors, writing here."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from unheard.cluster import cluster, ray_module, work_in
from unheard.evaluation.experiment import Experiment
from unheard.evaluation.run import Batch, Bench, Engine, Made

RETRIES = 3
"""How often a batch is given to another actor when one is lost."""


def ray_engine(experiment: Experiment, address: str | None = None) -> Engine:
    """An engine on a Ray cluster, see `unheard.cluster.cluster`: an actor a GPU, or a processor without any.

    Every actor loads the model and the witnesses itself, so what the experiment names by path has to be
    there on all machines. An actor that is lost is started again, and its batch made again.

    Raises:
        InputError: Ray is not installed.
    """
    ray_module("the evaluation")

    def made(batches: Sequence[Batch]) -> Iterator[tuple[Batch, Made]]:
        if not batches:
            return
        with cluster(address, "the evaluation") as ray:
            from ray.util import ActorPool

            resources = ray.cluster_resources()
            gpus = int(resources.get("GPU", 0))
            actors = min(gpus or max(1, int(resources.get("CPU", 1))), len(batches))
            worker = ray.remote(
                num_cpus=0 if gpus else 1, num_gpus=1 if gpus else 0,
                max_restarts=RETRIES, max_task_retries=RETRIES,
            )(_Worker)  # fmt: skip
            pool = ActorPool([worker.remote(experiment, os.getcwd()) for _ in range(actors)])
            yield from pool.map_unordered(lambda actor, batch: actor.made.remote(batch), list(batches))

    return made


class _Worker:
    """A bench on some machine."""

    def __init__(self, experiment: Experiment, folder: str) -> None:
        work_in(folder)
        self._bench = Bench(experiment)

    def made(self, batch: Batch) -> tuple[Batch, Made]:
        return batch, self._bench.rows(batch)
