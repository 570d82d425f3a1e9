"""Which references have moments in common with a sound, found among very many without reading them.

What a model makes anew keeps neither the fine structure that fingerprints are made of nor the peaks of
landmarks, but its moments are known again (`unheard.auditing.moments`). So those moments of every reference
are kept that say most, some two a second. First each of the sound's own looks for the one that is most like
it in every part of the catalogue, and these add up (Khattab and Zaharia 2020, "ColBERT: Efficient and
effective passage search via contextualized late interaction over BERT"). Then it is asked of the few parts
with the highest sums how many moments are like the sound's at one lag.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from unheard.auditing.moment_network import NUMBERS, trained
from unheard.auditing.part_search import highest_of_parts

APART = 16
"""Frames between the moments that are kept of a reference, at least: .4 s."""
LOUDEST_CODE, HEAVIEST = 127, 2.0
"""What a vector's number of 1 is kept as where the moment says as much as any can."""
SOUGHT, SOUGHT_APART = 48, 4
"""Moments of a sound that are looked up, at most, and frames between them, at least."""
USUAL = 0.9
"""Share of the recordings that a moment may resemble by being ordinary; only what exceeds it counts."""
SHORTLIST, OF_ONE = 64, 4
"""Parts that are asked for one lag, and of one reference, at most: a long one must not crowd out others."""
SLACK = 2
"""Frames by which a moment may be off."""

Marks = tuple[np.ndarray, np.ndarray]
"""Moments that are kept of a reference: vectors times what they say, int8 [marks, NUMBERS], and their frames,
rising, int32 [marks]."""


def sparse(moments: Tensor) -> Marks:
    """Moments [frames, NUMBERS + 1], see `unheard.auditing.moments`, to those by which a sound is found."""
    at = weightiest(moments[:, NUMBERS], APART)
    vectors = _weighted(moments[torch.from_numpy(at)]) * (LOUDEST_CODE / HEAVIEST)
    return vectors.round().to(torch.int8).numpy(), at.astype(np.int32)


def weightiest(weights: Tensor, apart: int, most: int | None = None) -> np.ndarray:
    """The frames, rising, of which each weighs most among those not nearer than `apart` to a heavier one.

    Args:
        weights: [frames]; a frame of 0 is never taken.
        apart: frames between any two of them, at least.
        most: how many are taken, the heaviest first; all if left out.
    """
    taken: list[int] = []
    free = weights.numpy() > 0
    for frame in torch.argsort(-weights, stable=True).tolist():
        if len(taken) == most:
            break
        if free[frame]:
            taken.append(frame)
            free[max(0, frame - apart + 1) : frame + apart] = False
    return np.sort(np.array(taken, dtype=int))


class MomentIndex:
    """The moments that are kept of all references, and the parts in which these are compared.

    Args:
        references: `sparse` of each.
        parts: reference, first frame and one after the last [parts, 3], rising; parts may overlap.
    """

    def __init__(self, references: Sequence[Marks], parts: np.ndarray) -> None:
        counts = [len(frames) for _, frames in references]
        self.vectors = np.concatenate([vectors for vectors, _ in references])
        self.frames = np.concatenate([frames for _, frames in references])
        # einsum converts some rows at a time, where a norm would need all of them as float32
        squares = np.einsum("mn,mn->m", self.vectors, self.vectors, dtype=np.float32)
        self.weights = np.sqrt(squares) * (HEAVIEST / LOUDEST_CODE)
        beyond = 1 + max(parts[:, 2].max(initial=0), self.frames.max(initial=0))
        axis = np.repeat(np.arange(len(references)), counts) * beyond + self.frames
        self.begins, self.ends = (
            np.searchsorted(axis, parts[:, 0] * beyond + parts[:, column]) for column in (1, 2)
        )
        self.references = parts[:, 0]
        self._filled = np.flatnonzero(self.begins < self.ends)
        numbers: dict[bytes, int] = {}
        known = [numbers.setdefault(_digest(marks), number) for number, marks in enumerate(references)]
        recordings = np.array(known)[self.references[self._filled]]
        self._by_recording = np.argsort(recordings, kind="stable")
        self._recording_begins = np.unique(recordings[self._by_recording], return_index=True)[1]

    def nearest(self, sound: Tensor, count: int) -> list[int]:
        """The parts whose moments are most like a sound's at one lag, one of each reference, the best first.

        Args:
            sound: its moments [frames, NUMBERS + 1].
            count: of parts, at most.
        """
        sought = sound[torch.from_numpy(weightiest(sound[:, NUMBERS], SOUGHT_APART, SOUGHT))]
        filled = self._filled
        if not len(sought) or not len(filled):
            return []
        queries = _queries(sought)
        best = highest_of_parts(
            lambda start, stop: self._log_ratios(queries, start, stop), self.begins[filled], self.ends[filled]
        )
        best = np.maximum(best, 0.0)
        likeness = np.maximum(best - self._usual(best), 0.0).sum(axis=0)
        ordered = filled[np.argsort(-likeness, kind="stable")]
        shortlist = ordered[_among_first(OF_ONE, self.references[ordered])][:SHORTLIST]
        every = _queries(sound)
        votes = np.array([self._votes(every, int(part)) for part in shortlist])
        order = np.argsort(-votes, kind="stable")
        order = order[votes[order] > 0]
        found = shortlist[order]
        return [int(part) for part in found[_among_first(1, self.references[found])][:count]]

    def _usual(self, best: np.ndarray) -> np.ndarray | float:
        """What each moment has in common with most recordings [moments, 1]; 0 among few.

        A recording counts once, of however many parts it is, and however often it is in the catalogue. Or
        what is copied from one that is there often would be usual itself.
        """
        if len(self._recording_begins) <= SHORTLIST:
            return 0.0
        highest = np.maximum.reduceat(best[:, self._by_recording], self._recording_begins, axis=1)
        usual: np.ndarray = np.quantile(highest, USUAL, axis=1, keepdims=True)
        return usual

    def _log_ratios(self, queries: Tensor, start: int, stop: int) -> np.ndarray:
        """Log likelihood ratios of `_queries` and some moments that are kept [moments, some].

        Those below 0 are none that `MomentNetwork.log_ratios` gives, which ends at a faintest one.
        """
        theirs = torch.empty(stop - start, NUMBERS + 1)
        theirs[:, :NUMBERS] = torch.from_numpy(self.vectors[start:stop])
        theirs[:, NUMBERS] = torch.from_numpy(self.weights[start:stop])
        found: np.ndarray = (queries @ theirs.T).numpy()
        return found

    def _votes(self, queries: Tensor, part: int) -> float:
        """The highest sum of log likelihood ratios of all frames' `_queries` at one lag, within the slack."""
        start, stop = int(self.begins[part]), int(self.ends[part])
        ratios = np.maximum(self._log_ratios(queries, start, stop), 0.0)
        ours, theirs = np.nonzero(ratios)
        if not len(ours):
            return 0.0
        lags = self.frames[start:stop][theirs] - ours
        at_lag = np.bincount(lags - lags.min(), weights=ratios[ours, theirs])
        return float(np.convolve(at_lag, np.ones(2 * SLACK + 1)).max())


def _among_first(most: int, numbers: np.ndarray) -> np.ndarray:
    """Which of some numbers [count] are not behind so many of the same, as truth values."""
    order = np.argsort(numbers, kind="stable")
    _, begins, counts = np.unique(numbers[order], return_index=True, return_counts=True)
    before = np.arange(len(numbers)) - np.repeat(begins, counts)
    first = np.empty(len(numbers), bool)
    first[order] = before < most
    return first


def _digest(marks: Marks) -> bytes:
    """Tells a recording's moments from those of all others."""
    vectors, frames = marks
    return hashlib.sha256(vectors.tobytes() + frames.tobytes()).digest()


def _queries(moments: Tensor) -> Tensor:
    """Moments [moments, NUMBERS + 1] as what gives log likelihood ratios in one product with those kept.

    The weights are one more number of the vectors.
    """
    slope, offset = trained().line.tolist()
    vectors = _weighted(moments) * (slope * HEAVIEST / LOUDEST_CODE)
    return torch.cat([vectors, offset * moments[:, NUMBERS:]], dim=1)


def _weighted(moments: Tensor) -> Tensor:
    """Vectors [moments, NUMBERS], each as long as its moment says much."""
    return moments[:, :NUMBERS] * moments[:, NUMBERS:]
