"""Residue: how much of the prompt's own recording is left in a sound that is no copy of it.

A sound of a cello is like a recording of a cello. So its likeness to the prompt's own recording is read
against the likeness of *other recordings of that kind* to that recording:

    residue               (likeness - mean of the others) / their standard deviation
    nearer_than_others    share of the others that are less like the recording than the sound is

Conventions: 0 and .5 are a sound that is like the recording as any other of its kind; a copy lies many
deviations above, and above all others. Ties count half. The likeness has to be one that no guidance uses.
"""

from __future__ import annotations

import numpy as np

from unheard.errors import InputError

FEWEST = 5
"""Other recordings from which their spread can be told."""


def validate(others: np.ndarray) -> np.ndarray:
    """The likenesses of the others in float64.

    Raises:
        InputError: fewer than `FEWEST`, or NaN.
    """
    found = np.asarray(others, np.float64)
    if found.ndim != 1 or len(found) < FEWEST or not np.isfinite(found).all():
        raise InputError(f"a residue is against {FEWEST} other recordings or more, not {list(found.shape)}")
    return found


def residue(likeness: float, others: np.ndarray) -> float | None:
    """Standard deviations above the mean of the others `[others]`; None where they are all equally like it.

    Raises:
        InputError: see `validate`.
    """
    found = validate(others)
    deviation = float(found.std(ddof=1))
    return None if deviation == 0 else (likeness - float(found.mean())) / deviation


def nearer_than_others(likeness: float, others: np.ndarray) -> float:
    """Share of the others `[others]` that are less like the recording, 0 to 1.

    Raises:
        InputError: see `validate`.
    """
    found = validate(others)
    return float((found < likeness).mean() + (found == likeness).mean() / 2)
