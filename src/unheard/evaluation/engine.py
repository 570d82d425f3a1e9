"""Who does the work of an experiment: this process (`LocalEngine`), or many machines (`ray_engine`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from unheard.evaluation.batch import Batch, Generated, Row


class Engine(Protocol):
    """Generates and judges batches."""

    def generate(self, batches: Sequence[Batch]) -> Iterator[tuple[Batch, Generated]]:
        """Generate batches; each is given back as soon as it is there, in any order."""
        ...

    def judge(
        self, batches: Sequence[Batch], generated: Callable[[Batch], Generated]
    ) -> Iterator[tuple[Batch, list[Row]]]:
        """Judge batches, which `generated` reads; each is given back with its rows, in any order."""
        ...
