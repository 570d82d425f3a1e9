"""Presets: guidance and sampling from a JSON file, as `unheard tune` and `import-settings` write it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from unheard.common.checks import check_keys
from unheard.common.structured_files import read_json
from unheard.diffusion.settings import Sampling
from unheard.errors import InputError, said
from unheard.guidance import GUIDANCES, describe_guidance, read_guidance
from unheard.guidance.amg.settings import AMG
from unheard.guidance.base import Guidance

OPTIONS = (*(part.name for part in fields(Sampling)), "negative_prompt")
KEYS = ("guidance", *OPTIONS)


@dataclass(frozen=True)
class Preset:
    """What a file says; what is given on the command line overrides it.

    Attributes:
        has_guidance: whether it says anything of guidance.
        guidance: the guidance; None for none, if `has_guidance`.
        options: sampling options and the negative prompt by name.
    """

    has_guidance: bool = False
    guidance: Guidance | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def read_preset(path: str | Path) -> Preset:
    """Read `{"guidance": {"kind": ...}, "guidance_scale": ...}`, or the table of a guidance alone.

    Raises:
        InputError: unreadable, an unknown key (names the nearest right one), or a value that cannot be used.
    """
    try:
        table = read_json(path)
    except OSError as error:
        raise InputError(f"cannot read the preset {path}: {said(error)}") from error
    except ValueError as error:
        raise InputError(f"the preset {path} is not JSON ({error}): give {_example()}") from error
    return preset_of(table, path)


def preset_of(table: Any, path: str | Path) -> Preset:
    """What `read_preset` makes of the content of the file at `path`; raises as it does."""
    if not isinstance(table, dict) or not table:
        raise InputError(f"the preset {path} holds no settings: give {_example()}")
    if _of_guidance() & set(table) and not {*KEYS} & set(table):
        return Preset(True, read_guidance(table))
    check_keys(table, KEYS, f"the preset {path}")
    options = {key: value for key, value in table.items() if key != "guidance"}
    guidance = table.get("guidance")
    return Preset(guidance is not None, None if guidance is None else read_guidance(guidance), options)


def _example() -> str:
    return json.dumps(describe_guidance(AMG()))


def _of_guidance() -> set[str]:
    """The keys of a table of guidance alone."""
    return {"kind", *(part.name for kind in GUIDANCES.values() for part in fields(kind))}
