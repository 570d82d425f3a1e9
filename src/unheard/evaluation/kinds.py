"""Guidance as a table of an experiment file: a stand-in for `unheard.settings.read_guidance`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from unheard.errors import InputError
from unheard.evaluation.spelling import check_keys
from unheard.settings import AMG


def read_guidance(table: Mapping[str, Any]) -> AMG | None:
    kind = table.get("kind", "amg")
    if kind not in ("amg", "none"):
        raise InputError(f"unknown guidance {kind!r}: choose amg or none")
    given = {key: value for key, value in table.items() if key != "kind"}
    check_keys(given, [part.name for part in fields(AMG)] if kind == "amg" else [], "the guidance")
    return AMG(**given) if kind == "amg" else None


def describe_guidance(guidance: AMG | None) -> dict[str, Any]:
    return {"kind": "none"} if guidance is None else {"kind": "amg", **asdict(guidance)}
