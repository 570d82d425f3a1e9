"""What a provenance says happened to a sound, as values: they were written once, and may be damaged since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, get_type_hints

from unheard.errors import InputError
from unheard.generation.sound import Nearest, TraceStep

Value = TypeVar("Value")


def trace_of(record: Mapping[str, Any]) -> list[TraceStep]:
    """What the guidance did in each denoising step; empty where a record has no trace.

    Args:
        record: as `unheard.generation.provenance.read` gives it.

    Raises:
        InputError: a step is none.
    """
    return [_of(TraceStep, step, "a step of the trace") for step in record.get("trace", [])]


def nearest_of(record: Mapping[str, Any]) -> list[Nearest]:
    """The nearest training items, the nearest first; raises as `trace_of`."""
    found = record["result"].get("nearest", [])
    if not isinstance(found, list):
        raise _damaged("what is nearest", f"it is of type {type(found).__name__}")
    return [_of(Nearest, item, "what is nearest") for item in found]


def _of(kind: type[Value], record: Any, what: str) -> Value:
    """A dataclass from those keys of a record that are its fields."""
    if not isinstance(record, Mapping):
        raise _damaged(what, f"it is of type {type(record).__name__}")
    values = {name: record[name] for name in get_type_hints(kind) if name in record}
    for name, expected in get_type_hints(kind).items():
        value = values.get(name)
        if type(value) is int and isinstance(0.0, expected):
            try:
                values[name] = float(value)
            except OverflowError as error:
                raise _damaged(what, f"{name} is beyond any number that is written there") from error
        elif name in values and not isinstance(value, expected):
            raise _damaged(what, f"{name} is of type {type(value).__name__}")
    try:
        return kind(**values)
    except TypeError as error:  # one that it needs is missing
        raise _damaged(what, str(error)) from error


def _damaged(what: str, why: str) -> InputError:
    return InputError(f"the record of a sound is damaged, {what}: {why}; give the .json as it was written")
