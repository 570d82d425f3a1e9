"""The kinds of evidence that the audit asks, one file a kind. This file is the registry.

base                what a kind is
calibrated          one whose scores were calibrated with those of others
altered_copies      copies that were shifted, transposed, stretched, equalised: by alignment
regenerated_copies  copies that a model made anew: by coarse envelopes
layered_copies      copies under other music, in a narrow band, in a room: by landmarks
copied_moments      copies whose moments are known again where others find likeness: by a trained network

A kind of one's own is registered from outside with `register`.
"""

from __future__ import annotations

from unheard.auditing.evidence.altered_copies import AlteredCopies
from unheard.auditing.evidence.base import Evidence, Finding
from unheard.auditing.evidence.copied_moments import CopiedMoments
from unheard.auditing.evidence.layered_copies import LayeredCopies
from unheard.auditing.evidence.regenerated_copies import RegeneratedCopies

__all__ = [
    "EVIDENCES",
    "AlteredCopies",
    "CopiedMoments",
    "Evidence",
    "Finding",
    "LayeredCopies",
    "RegeneratedCopies",
    "register",
]

EVIDENCES: dict[str, type[Evidence]] = {}
"""The kinds by their names, in the order in which they are asked."""


def register(kind: type[Evidence]) -> None:
    """Have a kind asked by every auditor made from now on; an earlier one of that name is replaced."""
    EVIDENCES[kind.name] = kind


for _kind in (AlteredCopies, RegeneratedCopies, LayeredCopies, CopiedMoments):
    register(_kind)
