"""Copies whose moments are known again, one by one, where the alignment or the envelopes find likeness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from torch import Tensor

from unheard.auditing import moments
from unheard.auditing.evidence.altered_copies import AlteredCopies
from unheard.auditing.evidence.base import Finding
from unheard.auditing.evidence.calibrated import Calibrated
from unheard.auditing.evidence.regenerated_copies import RegeneratedCopies
from unheard.auditing.features import Signal


class CopiedMoments(Calibrated):
    """Moments that a trained network knows again, see `unheard.auditing.moments`.

    It is asked where earlier kinds have found something, so its place is not counted beside theirs.
    """

    name: ClassVar[str] = "copied moments"

    def features(self, signal: Signal) -> Tensor:
        """[frames, NUMBERS + 1]; the network is read when this is first asked."""
        return signal.once(moments.of_signal)

    def compare(self, piece: Tensor, part: Tensor, found: Mapping[str, Finding]) -> Finding | None:
        """The passage that stands out from all other lags; None if there is none where others find some."""
        aligned, regenerated = found.get(AlteredCopies.name), found.get(RegeneratedCopies.name)
        by_envelopes = None if regenerated is None else regenerated.lags[0]
        known = [lag for finding in (aligned, regenerated) if finding is not None for lag in finding.lags]
        if not known:
            return None
        best = moments.best_passage(moments.log_ratios(piece, part), by_envelopes, known)
        if best is None:
            return None
        found_there = Finding.at_lag(best.excess, len(piece), best.start, best.end, best.lag)
        return replace(found_there, follows=True)
