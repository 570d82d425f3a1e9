"""Which caption of the training set takes the place of the prompt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from unheard.common.checks import require_whole


@dataclass(frozen=True)
class NearestCaption:
    """Every prompt is left for the nearest caption that the training set has only once.

    Nothing is asked and nothing is measured; see `unheard.guidance.nearest_caption.denoiser`.

    Attributes:
        nearest: which of the captions, 1 for the nearest, at least 1.

    Raises:
        InputError: a value outside this range.
    """

    kind: ClassVar[str] = "nearest-caption"
    needs_index: ClassVar[bool] = True
    uses_recordings: ClassVar[bool] = False
    without_captions: ClassVar[str | None] = "a prompt cannot be left for those"
    saves_memory: ClassVar[str | None] = None

    nearest: int = 1

    def __post_init__(self) -> None:
        require_whole("nearest", self.nearest, 1)

    def stronger(self, attempt: int) -> NearestCaption:
        """The caption that comes `attempt` after this one."""
        return replace(self, nearest=self.nearest + attempt)

    def measure(self, recordings: bool) -> str | None:
        return None
