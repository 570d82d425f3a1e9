"""The audit: whether a sound replays a catalogue, where, and how surely.

    sound -> candidates (fingerprint against all references; embedding, if there is one)
          -> alignment with each candidate -> score -> calibrated false-alarm rate -> verdict

`results` holds what comes out; `catalogue` the references and their fingerprints; `features`, `fingerprint`
and `alignment` the evidence; `calibration` the way from a score to a rate; `auditor` the whole, which
`assembly` puts together. (The package is called `auditing` because `unheard.audit` is the function.)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from unheard.auditing.results import BOUNDS, VERDICTS, Audit, Evidence, FileAudit, Match, as_bad_as, worst

if TYPE_CHECKING:
    from unheard.auditing.auditor import audit, evidence
    from unheard.auditing.calibration import Calibration
    from unheard.auditing.catalogue import Catalogue

__all__ = [
    "BOUNDS",
    "VERDICTS",
    "Audit",
    "Calibration",
    "Catalogue",
    "Evidence",
    "FileAudit",
    "Match",
    "as_bad_as",
    "audit",
    "evidence",
    "worst",
]

_HOMES = {"Calibration": "calibration", "Catalogue": "catalogue", "audit": "auditor", "evidence": "auditor"}


def __getattr__(name: str) -> object:
    """Import what needs torch when it is first asked for, so that the verdicts' names cost nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'unheard.auditing' has no attribute {name!r}")
    return getattr(import_module(f"unheard.auditing.{_HOMES[name]}"), name)
