"""The kinds of evidence that the audit asks, one file a kind. This file is the registry.

base            what a kind is
altered_copies  copies that were shifted, transposed, stretched, equalised: by alignment

A kind of one's own is registered from outside with `register`.
"""

from __future__ import annotations

from unheard.auditing.evidence.altered_copies import AlteredCopies
from unheard.auditing.evidence.base import Evidence, Finding

__all__ = ["EVIDENCES", "AlteredCopies", "Evidence", "Finding", "register"]

EVIDENCES: dict[str, type[Evidence]] = {}
"""The kinds by their names, in the order in which they are asked."""


def register(kind: type[Evidence]) -> None:
    """Have a kind asked by every auditor made from now on; an earlier one of that name is replaced."""
    EVIDENCES[kind.name] = kind


register(AlteredCopies)
