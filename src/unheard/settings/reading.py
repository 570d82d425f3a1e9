"""A guidance as a table of names and values, as JSON and TOML have it, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from unheard.errors import InputError
from unheard.settings.guidances import AMG, GUIDANCES, Guidance
from unheard.spelling import check_keys, instead

NONE = "none"
"""The kind of no guidance but the classifier-free one."""


def read_guidance(given: Mapping[str, Any] | str) -> Guidance | None:
    """The guidance that a table such as `{"kind": "amg", "c1": 4.0}` describes; what is left out is default.

    A kind alone, such as "detour", is its table without settings. A missing kind is "amg", as in files from
    before there were others; the kind "none" gives None.

    Raises:
        InputError: an unknown kind or key (names the nearest right one), or a value that cannot be used.
    """
    if not isinstance(given, Mapping | str):
        raise InputError(f"guidance is {given!r}: give a kind, or a table with a kind")
    settings = {"kind": given} if isinstance(given, str) else dict(given)
    kind = settings.pop("kind", AMG.kind)
    if kind == NONE:
        if settings:
            raise InputError(f"guidance of kind none has no {next(iter(settings))!r}: take it out")
        return None
    if not isinstance(kind, str) or kind not in GUIDANCES:
        raise InputError(f"unknown guidance {kind!r}: {instead(kind, [*GUIDANCES, NONE])}")
    made_of = GUIDANCES[kind]
    check_keys(map(str, settings), [field.name for field in fields(made_of)], f"the guidance {kind}")
    return made_of(**settings)


def describe_guidance(guidance: Guidance | None) -> dict[str, Any]:
    """The table that `read_guidance` reads, with every setting."""
    return {"kind": NONE} if guidance is None else {"kind": guidance.kind, **asdict(guidance)}
