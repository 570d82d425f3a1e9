"""What a setting may be; each check names the setting, the value, and what to give."""

from __future__ import annotations

import math
from numbers import Integral, Real

from unheard.errors import InputError


def require_number(name: str, value: object) -> None:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
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


def require_whole(name: str, value: object, low: int) -> None:
    """A whole number of `low` or more."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < low:
        raise InputError(f"{name} is {value!r}: give a whole number of at least {low}")


def require_one_of(name: str, value: object, choices: tuple[str, ...]) -> None:
    """One of some words."""
    if value not in choices:
        raise InputError(f"unknown {name} {value!r}: choose one of {', '.join(choices)}")
