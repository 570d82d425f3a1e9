"""Weights of the published guidance, and the detour's thresholds above which it acts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from unheard.guidance.amg.settings import AMG, DissimilaritySpace
from unheard.guidance.base import THRESHOLD_STEP, WEIGHT_STEP
from unheard.guidance.detour.settings import EXCESS, HIGH_NOISE, PULL, Detour

ALWAYS = -1.0
"""A cosine above which everything is."""


@dataclass(frozen=True)
class GatedAMG:
    """The published guidance, which acts in the steps in which the detour's gate is open.

    It tells what the terms do from what their own gate does; see `unheard.guidance.gated_amg.denoiser`.

    Attributes:
        c1: weight of despecification, at least 0.
        c2: weight of caption deduplication, at least 0.
        c3: weight of dissimilarity, at least 0.
        dissimilarity_space: how the gradient of `c3` is weighed, "denoised" or "noise".
        threshold: excess correlation with one recording above which it acts, 0 to 1.
        pull: the prompt's pull in high noise above which it acts where recordings are missing, at least 0.
        candidates: training items that a sound is compared with, at least 1.
        high_noise: noise level sigma down to which the prompt's pull is asked, at least 0.

    Raises:
        InputError: a value outside these ranges.
    """

    kind: ClassVar[str] = "gated-amg"
    needs_index: ClassVar[bool] = True
    uses_recordings: ClassVar[bool] = True

    c1: float = 4.0
    c2: float = 3.0
    c3: float = 100.0
    dissimilarity_space: DissimilaritySpace = "denoised"
    threshold: float = 0.3
    pull: float = 0.54
    candidates: int = 64
    high_noise: float = HIGH_NOISE

    def __post_init__(self) -> None:
        _ = self.published, self.gate  # which check what they are given

    @property
    def published(self) -> AMG:
        """The terms, as a guidance that always acts."""
        return AMG(self.c1, self.c2, self.c3, ALWAYS, ALWAYS, self.dissimilarity_space)

    @property
    def gate(self) -> Detour:
        """The detour whose gate is asked."""
        return Detour(
            threshold=self.threshold,
            pull=self.pull,
            candidates=self.candidates,
            high_noise=self.high_noise,
        )

    @property
    def without_captions(self) -> str | None:
        return self.published.without_captions

    @property
    def saves_memory(self) -> str | None:
        return self.published.saves_memory

    def stronger(self, attempt: int) -> GatedAMG:
        """Weights times `WEIGHT_STEP ** attempt`, thresholds less `THRESHOLD_STEP * attempt`, at least 0."""
        growth, lower = WEIGHT_STEP**attempt, THRESHOLD_STEP * attempt
        return replace(
            self,
            c1=self.c1 * growth,
            c2=self.c2 * growth,
            c3=self.c3 * growth,
            threshold=max(self.threshold - lower, 0.0),
            pull=max(self.pull - lower, 0.0),
        )

    def measure(self, recordings: bool) -> str | None:
        return EXCESS if recordings else PULL
