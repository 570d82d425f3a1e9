"""`--preset`: guidance and sampling from a JSON file, as `unheard tune` writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from unheard.cli.options import SETTINGS
from unheard.common.checks import check_keys
from unheard.common.structured_files import read_json
from unheard.diffusion.settings import Sampling
from unheard.errors import InputError
from unheard.guidance import describe_guidance, read_guidance
from unheard.guidance.amg.settings import AMG
from unheard.guidance.base import Guidance

OPTIONS = (*(part.name for part in fields(Sampling)), "negative_prompt")
KEYS = ("guidance", *OPTIONS)
OF_GUIDANCE = {"kind", *SETTINGS}
"""Keys of a table of guidance alone."""


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
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the preset {path}: {error}") from error
    if not isinstance(table, dict) or not table:
        raise InputError(f"the preset {path} holds no settings: give {describe_guidance(AMG())}")
    if OF_GUIDANCE & set(table) and not {*KEYS} & set(table):
        return Preset(True, read_guidance(table))
    check_keys(table, KEYS, f"the preset {path}")
    guidance = table.pop("guidance", None)
    return Preset(guidance is not None, None if guidance is None else read_guidance(guidance), table)
