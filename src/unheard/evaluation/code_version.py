"""Which code and versions made sounds: what tells whether those of one table can be compared.

It is stored with each part and does not change a batch's name: a comment in the code shall not cost hours of
sounds. Where a table holds sounds of several versions, a warning says so.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from unheard.common.files import sha256

SOURCES = (
    "audio.py",
    "backbones",
    "diffusion",
    "embedders",
    "generation/batches.py",
    "generation/init_audio.py",
    "generation/model.py",
    "generation/next_way.py",
    "guidance",
)
"""Files and folders of the package that make a sound."""


@cache
def code_hash() -> str:
    """A hash of the sources that make a sound."""
    package = Path(__file__).parents[1]
    sources = [package / name for name in SOURCES]
    return sha256(
        *sorted(file for source in sources for file in (source, *source.rglob("*.py")) if file.is_file())
    )


def warn_of_several(origins: Iterable[tuple[Mapping[str, Any], int]], parts: Path) -> None:
    """One warning where sounds were made by different code or versions.

    Args:
        origins: of the batches of a table, see `Generator.origin`, with the number of their sounds.
        parts: the folder in which they lie.
    """
    sounds: Counter[tuple[tuple[str, str | None], ...]] = Counter()
    for origin, count in origins:
        sounds[tuple(sorted({**origin["machine"]["packages"], "code": origin.get("code")}.items()))] += count
    if len(sounds) < 2:
        return
    different = sorted({name for one in sounds for name, _ in {*one} ^ {*next(iter(sounds))}})
    others = sounds.total() - max(sounds.values())
    warnings.warn(
        f"other code or versions than those of the rest made {others:,} of {sounds.total():,} sounds "
        f"({', '.join(different)}): delete {parts} to have all made again by what is here now",
        stacklevel=3,
    )
