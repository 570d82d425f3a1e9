"""Which references share landmarks with a sound: an inverted index, so that very many are searched at once.

A fingerprint describes all that sounds at once, so what lies deep under other music is not found by it. Its
landmarks are there all the same (`unheard.auditing.landmarks`). So few landmarks of every reference are kept,
sorted by what they are, and all landmarks of a sound are looked up (Wang 2003, "An industrial-strength audio
search algorithm"). Hits that lie at one lag speak for a passage, as far as other lags of that reference have
fewer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from unheard.auditing.landmarks import FEWEST, SLACK, Landmarks, key, landmarks, members, peaks, surprise

CROWD, PARTNERS = 8, 2
"""Of a reference: peaks in half a second, and landmarks that begin at one peak, at most: 30 a second."""
LONGEST = 1_640
"""Columns of a sound that is looked up, at most: 20.5 s. So far apart are references on the common axis."""
BINS_OFF = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))
"""By how many bins the peaks of a landmark may be off: one of both, by one. Looking further finds no more."""
MOST_HITS = 5_000_000
"""Of one sound, at most: in very large catalogues what is common tells little and costs most."""
FEW = 3
"""Hits at one lag, at least."""


def sparse(mono: Tensor) -> np.ndarray:
    """Sound [time] at `SAMPLE_RATE` to the landmarks by which it is found, int32 [2, landmarks].

    First their keys, rising, and then their columns, see `Landmarks`.
    """
    found = landmarks(peaks(mono, CROWD), PARTNERS)
    return np.stack([found.keys, found.columns]).astype(np.int32)


class LandmarkIndex:
    """The landmarks of all references, on one axis of columns.

    Args:
        references: `sparse` of each.
        lengths: columns of each [references].
    """

    def __init__(self, references: Sequence[np.ndarray], lengths: np.ndarray) -> None:
        self.lengths = lengths
        self.begins = LONGEST + np.concatenate([[0], np.cumsum(lengths + LONGEST)[:-1]])
        axis = np.int32 if self.begins[-1] + lengths[-1] + LONGEST < 2**31 else np.int64
        keys = np.concatenate([some[0] for some in references])
        columns = np.concatenate(
            [some[1] + begin.astype(axis) for some, begin in zip(references, self.begins, strict=True)]
        )
        order = np.argsort(keys, kind="stable")
        self.keys, self.columns = keys[order], columns[order]

    def nearest(self, sound: Landmarks, count: int) -> list[tuple[int, int]]:
        """References that share landmarks with a sound at one lag, at most so many, the surest first.

        Returns:
            Pairs: the position of a reference, and by how many columns the sound begins later in it.

        Raises:
            ValueError: the sound is longer than `LONGEST`.
        """
        if sound.length > LONGEST:
            raise ValueError(f"{sound.length} columns are looked up, and {LONGEST} is the most")
        lags = np.sort(self._hits(sound))
        # where `FEW` hits or more lie within the slack, and how many do
        several = np.flatnonzero(lags[FEW - 1 :] - lags[: 1 - FEW] < len(SLACK))
        at = lags[several]
        votes = np.searchsorted(lags, at + len(SLACK) - 1, side="right") - several
        owner = np.searchsorted(self.begins - sound.length, at, side="right") - 1
        room = self.lengths[owner] + sound.length
        all_hits = np.searchsorted(lags, self.begins + self.lengths) - np.searchsorted(
            lags, self.begins - sound.length
        )
        chance = np.maximum(len(SLACK) * all_hits[owner] / room, FEWEST)
        surest = np.argsort(-surprise(votes, chance), kind="stable")
        found: dict[int, int] = {}
        for one in surest:
            if votes[one] <= chance[one] or len(found) == count:
                break
            reference = int(owner[one])
            found.setdefault(reference, int(at[one] - self.begins[reference]) + max(SLACK))
        return list(found.items())

    def _hits(self, sound: Landmarks) -> np.ndarray:
        """Lags on the common axis [hits] where a landmark is one of the sound's, within the slack.

        The rarest landmarks come first, and where they have `MOST_HITS` the commonest are passed over.
        """
        # the time between is the last of a key's parts, so all its slack is one range
        off = np.array([int(key(low, high, SLACK[0])) for low, high in BINS_OFF])
        sought = (sound.keys[:, None] + off).astype(self.keys.dtype)
        begin = np.searchsorted(self.keys, sought, side="left")
        count = np.searchsorted(self.keys, sought + len(SLACK) - 1, side="right") - begin
        rarest = np.argsort(count.sum(axis=1), kind="stable")
        rarest = rarest[np.cumsum(count.sum(axis=1)[rarest]) <= MOST_HITS]
        each, at = members(begin[rarest].ravel(), count[rarest].ravel())
        ours = np.repeat(sound.columns[rarest], len(off)).astype(self.columns.dtype)
        hits: np.ndarray = self.columns[at] - ours[each]
        return hits
