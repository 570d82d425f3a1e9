"""Which LoRAs are merged into a model, and how strongly. No torch in here.

A LoRA changes some layers of the model that it was trained on (Hu et al. 2021, arXiv 2106.09685).
`unheard.backbones.low_rank` reads and merges it, and its kin.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from unheard.common.checks import require_number
from unheard.common.files import sha256
from unheard.errors import InputError


@dataclass(frozen=True)
class LoRA:
    """A LoRA to merge.

    Attributes:
        path: of its file, in full.
        weight: its strength: 1 as it was trained, 0 for none of it; any finite number.
    """

    path: Path
    weight: float = 1.0

    @cached_property
    def sha256(self) -> str:
        """Of the file's content."""
        return sha256(self.path)

    def describe(self) -> dict[str, str | float]:
        """For provenance."""
        return {"path": str(self.path), "weight": self.weight, "sha256": self.sha256}


Given = str | Path | tuple[str | Path, float] | LoRA
"""A file, or a file with the weight of its change."""


def given_loras(given: Sequence[Given]) -> tuple[LoRA, ...]:
    """The LoRAs that were asked for, in their order; a weight that is left out is 1.

    Raises:
        InputError: there is no such file, or the weight is no finite number.
    """
    return tuple(_given_lora(each) for each in given)


def _given_lora(given: Given) -> LoRA:
    if isinstance(given, LoRA):
        return given
    path, weight = given if isinstance(given, tuple) else (given, 1.0)
    full = Path(path).expanduser()
    if not os.path.isfile(full):
        raise InputError(f"there is no LoRA {path}: check the path")
    require_number(f"the weight of the LoRA {path}", weight)
    return LoRA(full.resolve(), float(weight))
