"""How much chance is put into a prompt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from unheard.common.checks import require_at_least_zero, require_whole
from unheard.errors import InputError
from unheard.guidance.base import WEIGHT_STEP

MOST_WORDS = 1_000


@dataclass(frozen=True)
class PromptNoise:
    """Words drawn at random are put into the prompt, or Gaussian noise onto its embedding.

    Somepalli et al., NeurIPS 2023 (arXiv 2305.20086); see `unheard.guidance.prompt_noise.denoiser`.

    Attributes:
        random_words: words that are put into the prompt at random places, 0 to 1,000; drawn from the
            captions of the training set.
        replace_words: whether they take the place of words of the prompt.
        embedding_noise: standard deviation of the noise on the states of the text encoder, in their own
            units, at least 0.

    Raises:
        InputError: a value outside these ranges, or nothing to do.
    """

    kind: ClassVar[str] = "prompt-noise"
    uses_recordings: ClassVar[bool] = False
    without_captions: ClassVar[str | None] = None
    saves_memory: ClassVar[str | None] = None

    random_words: int = 4
    replace_words: bool = False
    embedding_noise: float = 0.0

    def __post_init__(self) -> None:
        require_whole("random_words", self.random_words, 0, MOST_WORDS)
        if not isinstance(self.replace_words, bool):
            raise InputError(f"replace_words is {self.replace_words!r}: give true or false")
        require_at_least_zero("embedding_noise", self.embedding_noise)
        if not self.random_words and not self.embedding_noise:
            raise InputError("random_words and embedding_noise are both 0: give one of them, or no guidance")

    @property
    def needs_index(self) -> bool:
        return self.random_words > 0

    def stronger(self, attempt: int) -> PromptNoise:
        """One more word an attempt where there are any, and noise times `WEIGHT_STEP ** attempt`."""
        return replace(
            self,
            random_words=min(self.random_words + attempt, MOST_WORDS) if self.random_words else 0,
            embedding_noise=self.embedding_noise * WEIGHT_STEP**attempt,
        )

    def measure(self, recordings: bool) -> str | None:
        return None
