"""What likenesses reach by chance: null distributions that `python -m lab.calibrate_likeness` wrote.

Relatives are the null that counts: other phrases by the same instrument in the same key, tempo and kind,
other takes of one pack. Much of what they share is shared by many, such as a scale, or a beat on every
quarter.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Self

from unheard.auditing.calibration import Null, stored_null

FILE = Path(__file__).with_suffix(".json")


@dataclass(frozen=True)
class NullDistributions:
    """The scores of pairs that were made independently of one another.

    Attributes:
        name: what they were measured on.
        kinds: the distribution of each kind's score, by its name.
        made_by: command, date and material.
    """

    name: str
    kinds: dict[str, Null]
    made_by: dict[str, Any]

    @classmethod
    def load(cls, path: Path = FILE) -> Self:
        """Read what `lab.calibrate_likeness` wrote."""
        stored = json.loads(path.read_text("utf-8"))
        return cls(**stored | {"kinds": {name: stored_null(null) for name, null in stored["kinds"].items()}})


@lru_cache(maxsize=1)
def default() -> NullDistributions:
    """Those in the package."""
    return NullDistributions.load()


class Calibrated:
    """The rate of a kind of likeness by its name.

    Args:
        nulls: the null distributions; the package's own if left out.
    """

    name: ClassVar[str]

    def __init__(self, nulls: NullDistributions | None = None) -> None:
        self.nulls = nulls or default()

    @property
    def calibration(self) -> dict[str, Any]:
        """What the null distribution was measured on, and how."""
        return {"name": self.nulls.name, **self.nulls.made_by}

    def false_alarm_rate(self, score: float) -> float:
        """See `Null.false_alarm_rate`."""
        return self.nulls.kinds[self.name].false_alarm_rate(score)
