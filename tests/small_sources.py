"""A folder of sounds by their names alone, and what `Sources` finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from unheard.index.building.recording import Recording, Reject
from unheard.index.building.sources import Sources


def found(*arguments: Any, **options: Any) -> list[Recording]:
    everything = list(Sources(*arguments, **options))
    assert not [one for one in everything if isinstance(one, Reject)]
    return [one for one in everything if isinstance(one, Recording)]


def by_id(*arguments: Any, **options: Any) -> dict[str, Recording]:
    return {one.id: one for one in found(*arguments, **options)}


def write_folder(root: Path) -> Path:
    """Four sounds, two sidecars, two hidden sounds and another file; the sounds hold no samples."""
    for name in (
        "b.wav",
        "a.FLAC",
        "drums/loud/kick.mp3",
        "drums/ü.ogg",
        ".hidden/x.wav",
        ".x.wav",
        "readme.md",
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (root / "b.txt").write_text("a bell \n", encoding="utf-8")
    (root / "drums/loud/kick.json").write_text(
        json.dumps({"caption": "a kick", "seconds_start": 2, "seconds_total": "7.5", "licence": "CC0"})
    )
    return root
