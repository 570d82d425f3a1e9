"""What the sounds of a setting depend on, as values to take a digest of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unheard.common.files import sha256
from unheard.guidance import FORMER_NAMES
from unheard.index import Index


def digest(values: Any) -> str:
    """SHA-256 of values as JSON has them, whatever the order of keys."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def recordings_hash(recordings: Mapping[str, Path], index: Index | None) -> str | None:
    """A hash of recordings by id and content; None for none.

    Those of an index are not read again, where it knows their content.
    """
    if not recordings:
        return None
    known: dict[tuple[str, str | None], str] = {}
    if index is not None and index.store is not None:
        contents = index.store.contents()
        sources = zip(index.ids, index.sources, strict=True)
        known = {(item, source): contents[item] for item, source in sources if item in contents}
    hashes = {item: known.get((item, str(path))) or sha256(path) for item, path in recordings.items()}
    lines = (f"{item} {found}\n" for item, found in sorted(hashes.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def by_former_names(guidance: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A guidance by the names that its settings had when batches were first named: they keep their names."""
    if guidance is None:
        return None
    former = {name: earlier for earlier, name in FORMER_NAMES.get(guidance["kind"], {}).items()}
    return {former.get(name, name): value for name, value in guidance.items()}


def by_present_names(guidance: Mapping[str, Any]) -> dict[str, Any]:
    """A guidance, described at any time, by the names that its settings have now."""
    present = FORMER_NAMES.get(guidance.get("kind", ""), {})
    return {present.get(name, name): value for name, value in guidance.items()}
