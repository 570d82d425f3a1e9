"""What a value or a name may be; each check names what was given, and says what to give.

Misspelt names come with the nearest right one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from numbers import Integral, Real

from unheard.common.texts import is_text
from unheard.errors import InputError

LARGEST = 2**63 - 1
"""Whole number that the libraries take that count in C; Python's own know no bound."""


def require_number(name: str, value: object) -> None:
    """A finite number."""
    try:
        finite = not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)
    except OverflowError:  # an integer of hundreds of digits
        finite = False
    if not finite:
        raise InputError(f"{name} is {value!r}: give a finite number")


def require_at_least_zero(name: str, value: float) -> None:
    """A finite number of 0 or more."""
    require_number(name, value)
    if value < 0:
        raise InputError(f"{name} is {value}: give a number of at least 0")


def require_above_zero(name: str, value: float) -> None:
    """A finite number above 0."""
    require_number(name, value)
    if value <= 0:
        raise InputError(f"{name} is {value}: give a number above 0")


def require_between(name: str, value: float, low: float, high: float) -> None:
    """A finite number from `low` to `high`."""
    require_number(name, value)
    if not low <= value <= high:
        raise InputError(f"{name} is {value}: give a number from {low:g} to {high:g}")


def require_whole(name: str, value: object, low: int, high: int = LARGEST) -> None:
    """A whole number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < low:
        raise InputError(f"{name} is {value!r}: give a whole number of at least {low}")
    if int(value) > high:
        raise InputError(f"{name} is {value!r}: give a whole number of at most {high:,}")


def require_text(name: str, value: object) -> None:
    """Text, which may be empty."""
    if not isinstance(value, str):
        raise InputError(f"{name} is {value!r}: give text")
    if not is_text(value):
        raise InputError(f"{name} is not text ({value!a}): give it in UTF-8")


def require_one_of(name: str, value: object, choices: tuple[str, ...]) -> None:
    """One of some words."""
    if value not in choices:
        raise InputError(f"unknown {name} {value!r}: choose one of {', '.join(choices)}")


def require_rising(low_name: str, low: float, high_name: str, high: float) -> None:
    """Two finite numbers, the first not above the second."""
    require_number(low_name, low)
    require_number(high_name, high)
    if low > high:
        raise InputError(
            f"{low_name} ({low}) is above {high_name} ({high}): "
            f"the threshold rises from {low_name} to {high_name}, so swap or equalise them"
        )


def check_keys(keys: Iterable[object], known: Sequence[str], where: str) -> None:
    """Raise InputError for the first key that is not known; says where it stands and what was meant."""
    for key in keys:
        if key not in known:
            raise InputError(f"unknown key {key!r} in {where}: {instead(key, known)}")


def instead(wrong: object, known: Sequence[str]) -> str:
    """What was meant, if one is near, and all there are."""
    near = get_close_matches(str(wrong), known, 1, 0.5)
    meant = f"did you mean {near[0]!r}? " if near else ""
    return f"{meant}Known are {', '.join(known) or 'none'}"
