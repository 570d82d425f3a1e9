"""Sounds that are made together, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from unheard.evaluation.prompts import Prompt

Row = dict[str, Any]
"""Of a table in `unheard.evaluation.columns`: what is known of one sound."""


@dataclass(frozen=True)
class Batch:
    """Sounds made together, under one setting; every setting has the same batches.

    Attributes:
        id: tells them from all others: a hash of whatever the sounds depend on.
        setting: its name, which they do not depend on.
        prompts, seeds: one a sound.
    """

    id: str
    setting: str
    prompts: tuple[Prompt, ...]
    seeds: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompts)

    def select(self, positions: Sequence[int]) -> Batch:
        """The sounds at these positions, made without the others."""
        return replace(
            self,
            prompts=tuple(self.prompts[position] for position in positions),
            seeds=tuple(self.seeds[position] for position in positions),
        )


@dataclass(frozen=True)
class Generated:
    """What became of a batch.

    Attributes:
        rows: one a sound, in order, see `columns.GENERATED`; one that failed has an error and no audio.
        sounds: their FLAC files by path in the folder of results.
        origin: what they were made of and on, see `Generator.origin`.
    """

    rows: list[Row]
    sounds: dict[str, bytes]
    origin: dict[str, Any]
