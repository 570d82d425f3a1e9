"""What a person can look at: two sounds frame against frame, and the path of a match through them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from unheard.auditing import alignment
from unheard.auditing.features import PER_SEMITONE, PERIOD, Signal
from unheard.auditing.results import Match


@dataclass(frozen=True)
class SimilarityMatrix:
    """Both sounds frame against frame, and the path that was found.

    Attributes:
        similarity: [frames of the audited sound, frames of the reference], float32 in -1 to 1, the reference
            transposed as the match says.
        path: pairs (i, j) of frames along the match, in order of time; empty if there is none.
        period: seconds between frames, in both.
    """

    similarity: np.ndarray
    path: tuple[tuple[int, int], ...]
    period: float


def similarity_matrix(
    waveform: Tensor, sample_rate: int, reference: Tensor, reference_rate: int, match: Match
) -> SimilarityMatrix:
    """The similarity of two sounds' frames, and a match in it.

    Args:
        waveform, sample_rate: the audited sound [channels, time], in hertz.
        reference, reference_rate: the match's reference likewise.
        match: as `audit` gave it.

    Raises:
        InputError: a sample rate cannot be used.
    """
    ours, theirs = Signal(waveform, sample_rate).features, Signal(reference, reference_rate).features
    similarity = alignment.cosines(ours, theirs, round(match.transposition * PER_SEMITONE))
    frames = np.arange(round(match.start / PERIOD), min(round(match.end / PERIOD), len(ours)))
    others = np.round(match.reference_start / PERIOD + (frames - match.start / PERIOD) / match.stretch)
    path = [(int(i), int(j)) for i, j in zip(frames, others, strict=True) if j < len(theirs)]
    return SimilarityMatrix(similarity, tuple(path), PERIOD)
