"""What `unheard tune` searches: a setting with ranges and choices in place of values.

    [search.ours]
    guidance = { kind = "detour", threshold = { low = 0.3, high = 0.7 }, candidates = [16, 32, 64] }

A table of `low` and `high` is a range, of whole numbers if both are; with `log = true` it is searched by
orders of magnitude. A list is a choice. All else stays as it is. Several spaces are searched together: which
of them is the first thing that a trial chooses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

from unheard.common.checks import check_keys
from unheard.diffusion.settings import Sampling
from unheard.errors import InputError
from unheard.guidance import read_guidance

SETTING_KEYS = (*(part.name for part in fields(Sampling)), "guidance", "negative_prompt")
SPACE = "space"
"""The name of a trial's choice among the spaces."""


class OptunaTrial(Protocol):
    """What `optuna.trial.Trial` gives."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float: ...

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int: ...

    def suggest_categorical(self, name: str, choices: Any) -> Any: ...


@dataclass(frozen=True)
class Range:
    """From `low` to `high`, both included.

    Raises:
        InputError: not numbers, `low` not below `high`, or not above 0 on a logarithmic scale.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        for bound in (self.low, self.high):
            if isinstance(bound, bool) or not isinstance(bound, int | float):
                raise InputError(f"a range has the bound {bound!r}: give numbers")
        if not self.low < self.high:
            raise InputError(f"a range from {self.low} to {self.high} is empty: swap low and high")
        if self.log and self.low <= 0:
            raise InputError(f"a logarithmic range starts at {self.low}: give a low above 0")

    def suggest(self, trial: OptunaTrial, name: str) -> float:
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(name, self.low, self.high, log=self.log)
        return trial.suggest_float(name, self.low, self.high, log=self.log)


def check_space(space: Mapping[str, Any], where: str) -> None:
    """Find out before any trial whether every corner of a space is a setting.

    Raises:
        InputError: an unknown key, an empty range or choice, or values that cannot be used.
    """
    for corner in ("low", "high"):
        setting = _mapped(space, lambda _, value, corner=corner: _corner(value, corner, where))
        table = setting.get("guidance")
        if isinstance(table, dict) and "kind" in table:
            read_guidance(table)
        Sampling(**{name: setting[name] for name in setting if name not in ("guidance", "negative_prompt")})


def suggest(trial: OptunaTrial, spaces: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A setting of one of the spaces, as the trial proposes it."""
    names = list(spaces)
    chosen = names[0] if len(names) == 1 else trial.suggest_categorical(SPACE, names)

    def value(name: str, given: Any) -> Any:
        if isinstance(given, list):
            return trial.suggest_categorical(f"{chosen}.{name}", given)
        return given.suggest(trial, f"{chosen}.{name}") if isinstance(given, Range) else given

    return _mapped(spaces[chosen], value)


def _mapped(space: Mapping[str, Any], value: Any) -> dict[str, Any]:
    """The setting with `value(name, given)` for every value, in its guidance as well."""
    setting = {}
    for name, given in space.items():
        if name == "guidance":
            setting[name] = {key: value(f"{name}.{key}", _read(each)) for key, each in given.items()}
        else:
            setting[name] = value(name, _read(given))
    return setting


def _read(given: Any) -> Any:
    if not isinstance(given, Mapping):
        return given
    check_keys(given, [part.name for part in fields(Range)], "a range")
    if not {"low", "high"} <= set(given):
        raise InputError(f"a range is {dict(given)}: give low and high")
    return Range(**given)


def _corner(given: Any, corner: str, where: str) -> Any:
    if isinstance(given, list):
        if not given:
            raise InputError(f"{where}: a choice is empty: give its values")
        return given[0 if corner == "low" else -1]
    return getattr(given, corner) if isinstance(given, Range) else given
