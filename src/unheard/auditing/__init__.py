"""The audit: whether a sound replays a catalogue, where, and how surely.

    sound -> candidates (fingerprint against all references; embedding, if there is one)
          -> alignment with each candidate -> score -> calibrated false-alarm rate -> verdict

`results` holds what comes out; `sounds` and `catalogue` are what is compared. `features` and `fingerprint`
find candidates; the kinds of `evidence` compare, such as by `alignment`, with a `calibration` from scores to
rates; `auditor` is the whole, and `assembly` puts it together. (The package is called `auditing` because
`unheard.audit` is the function.)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from unheard.auditing.results import BOUNDS, VERDICTS, Audit, FileAudit, Match, as_bad_as, worst

if TYPE_CHECKING:
    from unheard.auditing.assembly import audit, auditor_for
    from unheard.auditing.auditor import Auditor
    from unheard.auditing.calibration import Calibration
    from unheard.auditing.catalogue import Catalogue
    from unheard.auditing.report.matrix import SimilarityMatrix, similarity_matrix

__all__ = [
    "BOUNDS",
    "VERDICTS",
    "Audit",
    "Auditor",
    "Calibration",
    "Catalogue",
    "FileAudit",
    "Match",
    "SimilarityMatrix",
    "as_bad_as",
    "audit",
    "auditor_for",
    "similarity_matrix",
    "worst",
]

_HOMES = {
    "Auditor": "auditor",
    "Calibration": "calibration",
    "Catalogue": "catalogue",
    "SimilarityMatrix": "report.matrix",
    "audit": "assembly",
    "auditor_for": "assembly",
    "similarity_matrix": "report.matrix",
}


def __getattr__(name: str) -> object:
    """Import what needs torch when it is first asked for, so that the verdicts' names cost nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'unheard.auditing' has no attribute {name!r}")
    return getattr(import_module(f"unheard.auditing.{_HOMES[name]}"), name)
