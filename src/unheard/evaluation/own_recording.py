"""How like a sound is to its prompt's own recording, and how like other recordings of that kind are to it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from torch import Tensor

from unheard import audio
from unheard.auditing.catalogue import Catalogue
from unheard.auditing.evidence import EVIDENCES
from unheard.auditing.features import Signal
from unheard.evaluation.batch import Row
from unheard.evaluation.caption_groups import CaptionGroups
from unheard.evaluation.metrics.residue import FEWEST, nearer_than_others, residue

KIND = "altered copies"
"""The kind of evidence whose score is the likeness; no guidance uses it."""
LONGEST_SOUND, LONGEST_RECORDING = 20.0, 60.0
"""Seconds from the start on that are compared, of a sound or another recording, and of the own one."""
OTHERS = 50
"""Other recordings of a kind, at most; of more, as many are drawn, always the same."""
FEATURES_HELD = 256


class OwnRecording:
    """Likenesses to the references of a catalogue, by the audit's evidence.

    Args:
        catalogue: the references.
        captions: of each; None for one without.
    """

    def __init__(self, catalogue: Catalogue, captions: Sequence[str | None]) -> None:
        self._catalogue, self._captions = catalogue, captions
        self._groups = CaptionGroups(captions)
        self._evidence = EVIDENCES[KIND]()
        self._features_of = lru_cache(FEATURES_HELD)(self._features_of_reference)
        self._of_others = lru_cache(None)(self._likenesses_of_others)

    def measure(self, sound: tuple[Tensor, int], caption: str, own: Sequence[int]) -> Row:
        """What the columns say of a waveform [channels, time] with its rate; of the nearest own recording.

        Args:
            sound: what was generated.
            caption: its prompt.
            own: the references that are the prompt's own, by their positions.
        """
        features = self._features(sound[0].cpu(), sound[1], LONGEST_SOUND)
        likenesses = {number: self._likeness(features, number) for number in own}
        if not likenesses:
            return {}
        nearest = max(likenesses, key=lambda number: likenesses[number])
        likeness, others = likenesses[nearest], self._of_others(nearest, caption, tuple(own))
        row: Row = {"own_likeness": likeness}
        if len(others) >= FEWEST:
            row["residue"] = residue(likeness, others)
            row["nearer_than_others"] = nearer_than_others(likeness, others)
        return row

    def _likenesses_of_others(self, number: int, caption: str, own: tuple[int, ...]) -> np.ndarray:
        """Of other recordings of the kind to one of the own ones [others]."""
        others = self._groups.like(caption, but=own)
        if len(others) > OTHERS:
            others = np.random.default_rng(0).choice(others, OTHERS, replace=False).tolist()
        pieces = (self._features_of(other, LONGEST_SOUND) for other in others)
        return np.array([self._likeness(piece, number) for piece in pieces])

    def _likeness(self, features: Tensor, number: int) -> float:
        finding = self._evidence.compare(features, self._features_of(number, LONGEST_RECORDING), {})
        return 0.0 if finding is None else finding.score

    def _features_of_reference(self, number: int, seconds: float) -> Tensor:
        return self._features(*audio.read(self._catalogue.paths[number]), seconds)

    def _features(self, waveform: Tensor, rate: int, seconds: float) -> Tensor:
        return self._evidence.features(Signal(waveform[:, : round(seconds * rate)], rate))
