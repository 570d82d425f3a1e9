"""What two sounds have in common that makes neither a copy: the same tune, the same rhythm.

`base` says what a kind of likeness is; the kinds, a file each, are in `LIKENESSES`. `agreement` finds where
two sounds agree, and `null_distributions` holds what chance reaches, measured by
`python -m lab.calibrate_likeness`. A kind of one's own counts from when it is registered.
"""

from __future__ import annotations

from unheard.auditing.likeness.base import UNUSUAL, Likeness, unusual
from unheard.auditing.likeness.rhythm import Rhythm
from unheard.auditing.likeness.tune import Tune

__all__ = ["LIKENESSES", "UNUSUAL", "Likeness", "Rhythm", "Tune", "register", "unusual"]

LIKENESSES: dict[str, type[Likeness]] = {}
"""The kinds by their names, in the order in which results name them."""


def register(kind: type[Likeness]) -> None:
    """Have a kind asked by every auditor made from now on; an earlier one of that name is replaced."""
    LIKENESSES[kind.name] = kind


for _kind in (Tune, Rhythm):
    register(_kind)
