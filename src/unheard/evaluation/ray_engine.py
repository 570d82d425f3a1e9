"""Evaluating on many machines: generating and judging by actors, writing here."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from unheard.common.ray import cluster, ray_module, work_in
from unheard.evaluation.batch import Batch, Generated, Row
from unheard.evaluation.engine import Engine
from unheard.evaluation.experiment import Experiment
from unheard.evaluation.local_engine import LocalEngine

RETRIES = 3
"""How often a batch is given to another actor when one is lost, and one that cannot start is replaced."""


@contextmanager
def ray_engine(experiment: Experiment, address: str | None = None) -> Iterator[Engine]:
    """An engine on a Ray cluster (`unheard.common.ray.cluster`): an actor a GPU, or a processor without any.

    Every actor loads the models and the judges itself, so what the experiment names by path has to be there
    on all machines. The batch of an actor that is lost is made again by another. The cluster is asked
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
        self._starting: dict[Any, Any] = {}
        self._ray: Any = None

    def generate(self, batches: Sequence[Batch]) -> Iterator[tuple[Batch, Generated]]:
        yield from self._each(batches, lambda actor, batch: actor.generate.remote(batch))

    def judge(
        self, batches: Sequence[Batch], generated: Callable[[Batch], Generated]
    ) -> Iterator[tuple[Batch, list[Row]]]:
        yield from self._each(batches, lambda actor, batch: actor.judge.remote(batch, generated(batch)))

    def _each(self, batches: Sequence[Batch], ask: Callable[[Any, Batch], Any]) -> Iterator[Any]:
        """What actors answer of batches, as it comes; the batch of an actor that is lost is asked of another.

        One that is lost is not started again: on the nodes that are left there may be no room for it, and
        what it is asked would wait for ever.
        """
        if not batches:
            return
        self._start_actors(len(batches))
        from ray.exceptions import ObjectLostError, RayActorError

        idle, waiting = list(self._actors), deque((batch, 0) for batch in batches)
        asked: dict[Any, tuple[Any, Batch, int]] = {}
        failures = 0
        while waiting or asked:
            while idle and waiting:
                actor, (batch, lost) = idle.pop(), waiting.popleft()
                asked[ask(actor, batch)] = actor, batch, lost
            (answer,), _ = self._ray.wait([*asked, *self._starting], num_returns=1)
            if answer in self._starting:
                actor = self._starting.pop(answer)
                try:
                    self._ray.get(answer)
                except (RayActorError, ObjectLostError):
                    failures += 1
                    if failures > RETRIES and not self._actors:
                        raise
                    self._start_one_at_least()
                else:
                    self._actors.append(actor)
                    idle.append(actor)
                continue
            actor, batch, lost = asked.pop(answer)
            try:
                found = self._ray.get(answer)
            except (RayActorError, ObjectLostError):  # an answer is lost with the node that holds it
                if lost == RETRIES:
                    raise
                self._drop(actor)
                waiting.appendleft((batch, lost + 1))
                self._start_one_at_least()
                continue
            idle.append(actor)
            yield found

    def _start_one_at_least(self) -> None:
        if not self._actors and not self._starting:
            self._start_actors(1)

    def _start_actors(self, batches: int) -> None:
        """As many actors as batches and the cluster can use, besides those that are there.

        Ray counts a lost node's processors for some seconds more. So there may be no room for an actor, ever,
        and it is asked for nothing before it has started.
        """
        if self._ray is None:
            self._ray = self._until_the_end.enter_context(cluster(self._address, "the evaluation"))
        resources = self._ray.cluster_resources()
        gpus = int(resources.get("GPU", 0))
        wanted = min(gpus or max(1, int(resources.get("CPU", 1))), batches)
        worker = self._ray.remote(num_cpus=0 if gpus else 1, num_gpus=1 if gpus else 0)(_Worker)
        while len(self._actors) + len(self._starting) < wanted:
            actor = worker.remote(self._experiment, os.getcwd())
            self._starting[actor.started.remote()] = actor

    def _drop(self, actor: Any) -> None:
        """What is lost, or cannot be reached, is given up, and its room with it."""
        self._actors.remove(actor)
        self._ray.kill(actor)


class _Worker:
    """A local engine on some machine."""

    def __init__(self, experiment: Experiment, folder: str) -> None:
        work_in(folder)
        self._local = LocalEngine(experiment)

    def started(self) -> None:
        """Answers once the worker is there."""

    def generate(self, batch: Batch) -> tuple[Batch, Generated]:
        return next(self._local.generate([batch]))

    def judge(self, batch: Batch, generated: Generated) -> tuple[Batch, list[Row]]:
        return next(self._local.judge([batch], lambda _: generated))
