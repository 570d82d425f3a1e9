"""Thresholds above which a prompt is rewritten: those of the detour."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from unheard.common.checks import require_at_least_zero, require_between, require_whole
from unheard.guidance.base import THRESHOLD_STEP
from unheard.guidance.detour.settings import EXCESS, HIGH_NOISE, PULL


@dataclass(frozen=True)
class StaticRewrite:
    """The detour's gate is asked once, in the first step; where it opens, another caption takes over.

    The simplest rival of the detour: nothing is blended, nothing is asked again. See
    `unheard.guidance.static_rewrite.denoiser`.

    Attributes:
        threshold: excess correlation with one recording above which the caption is left, 0 to 1.
        pull: the prompt's pull in high noise above which it is left where recordings are missing, at least 0.
        candidates: training items that a sound is compared with, at least 1.
        high_noise: noise level sigma down to which the prompt's pull is asked, at least 0.

    Raises:
        InputError: a value outside these ranges.
    """

    kind: ClassVar[str] = "static-rewrite"
    needs_index: ClassVar[bool] = True
    uses_recordings: ClassVar[bool] = True
    without_captions: ClassVar[str | None] = "a rewrite cannot take those"
    saves_memory: ClassVar[str | None] = None

    threshold: float = 0.3
    pull: float = 0.54
    candidates: int = 64
    high_noise: float = HIGH_NOISE

    def __post_init__(self) -> None:
        require_between("threshold", self.threshold, 0.0, 1.0)
        require_at_least_zero("pull", self.pull)
        require_whole("candidates", self.candidates, 1)
        require_at_least_zero("high_noise", self.high_noise)

    def stronger(self, attempt: int) -> StaticRewrite:
        """Both thresholds less `THRESHOLD_STEP * attempt`, 0 at the least."""
        lower = THRESHOLD_STEP * attempt
        return replace(self, threshold=max(self.threshold - lower, 0.0), pull=max(self.pull - lower, 0.0))

    def measure(self, recordings: bool) -> str | None:
        return EXCESS if recordings else PULL
