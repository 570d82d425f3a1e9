"""Keys that a file may hold, and the nearest right one of a key that it may not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from unheard.errors import InputError


def check_keys(keys: Iterable[str], known: Sequence[str], where: str) -> None:
    """Raise InputError for the first key that is not known; says where it stands and what was meant."""
    for key in keys:
        if key not in known:
            near = get_close_matches(key, known, 1, 0.5)
            remedy = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known) or 'none'}"
            raise InputError(f"unknown key {key!r} in {where}: {remedy}")
