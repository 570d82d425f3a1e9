"""How far, and how fast, a prompt's embedding is moved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from unheard.common.checks import require_above_zero, require_whole
from unheard.guidance.base import WEIGHT_STEP

PULL = "magnitude of the prompt's pull"


@dataclass(frozen=True)
class PromptAdjustment:
    """The prompt's embedding is moved until its pull at the first step is no more than a prompt's should be.

    Wen et al., ICLR 2024 (arXiv 2407.21720); see `unheard.guidance.prompt_adjustment.denoiser`.

    Attributes:
        target: pull of the prompt that is left alone, above 0 and as large as ordinary prompts of the model
            have it, see `unheard.diffusion.prediction.pull`.
        rate: how far one update moves every number of the prompt's embedding, above 0.
        updates: updates of the prompt's embedding at the most, 1 to 10,000.

    Raises:
        InputError: a value outside these ranges.
    """

    kind: ClassVar[str] = "prompt-adjustment"
    needs_index: ClassVar[bool] = False
    uses_recordings: ClassVar[bool] = False
    without_captions: ClassVar[str | None] = None
    saves_memory: ClassVar[str | None] = None

    target: float = 0.3
    rate: float = 0.05
    updates: int = 10

    def __post_init__(self) -> None:
        require_above_zero("target", self.target)
        require_above_zero("rate", self.rate)
        require_whole("updates", self.updates, 1, 10_000)

    def stronger(self, attempt: int) -> PromptAdjustment:
        """The target by `WEIGHT_STEP ** attempt` lower."""
        return replace(self, target=self.target / WEIGHT_STEP**attempt)

    def measure(self, recordings: bool) -> str | None:
        return PULL
