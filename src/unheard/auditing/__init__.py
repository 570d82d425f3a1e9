"""The audit: whether a sound replays a catalogue, where, and how surely.

    sound -> candidates (fingerprints, landmarks, moments; embedding, if there is one)
          -> evidence of several kinds -> one likelihood ratio -> calibrated false-alarm rate -> verdict

`results` holds what comes out; `sounds` and `catalogue` are what is compared. `features` and `fingerprint`
find candidates; the kinds of `evidence` compare (by `alignment`, by coarse `envelopes`, by `landmarks`, by
`moments`), with a `calibration` from their scores to one and to rates; `verdict` says what that makes of a
sound; `auditor` is the whole, and `assembly` puts it together. `liveliness` says how much happens in a
sound. (The package is called `auditing` because `unheard.audit` is the function.)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from unheard.auditing.results import BOUNDS, UNTOLD, VERDICTS, Audit, FileAudit, Match, Part, as_bad_as, worst

if TYPE_CHECKING:
    from unheard.auditing.assembly import audit, auditor_for
    from unheard.auditing.auditor import Auditor
    from unheard.auditing.calibration import Calibration
    from unheard.auditing.catalogue import Catalogue
    from unheard.auditing.report.matrix import SimilarityMatrix, similarity_matrix

__all__ = [
    "BOUNDS",
    "UNTOLD",
    "VERDICTS",
    "Audit",
    "Auditor",
    "Calibration",
    "Catalogue",
    "FileAudit",
    "Match",
    "Part",
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
