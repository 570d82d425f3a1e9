"""Names and keys that a user may have misspelt, and the nearest right one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from unheard.errors import InputError


def check_keys(keys: Iterable[object], known: Sequence[str], where: str) -> None:
    """Raise InputError for the first key that is not known; says where it stands and what was meant."""
    for key in keys:
        if key not in known:
            raise InputError(f"unknown key {key!r} in {where}: {instead(key, known)}")


def instead(wrong: object, known: Sequence[str]) -> str:
    """What was meant, if one is near, and all there are."""
    near = get_close_matches(str(wrong), known, 1, 0.5)
    meant = f"did you mean {near[0]!r}? " if near else ""
    return f"{meant}Known are {', '.join(known) or 'none'}"
