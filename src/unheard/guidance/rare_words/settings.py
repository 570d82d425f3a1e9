"""Which words of a prompt are rare."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from unheard.common.checks import require_whole


@dataclass(frozen=True)
class RareWords:
    """Words of the prompt that few captions of the training set have are left out.

    A memorised caption is often told from all others by its rare words. See
    `unheard.guidance.rare_words.denoiser`.

    Attributes:
        fewest_captions: how many different captions must have a word for it to stay, at least 1.

    Raises:
        InputError: a value outside this range.
    """

    kind: ClassVar[str] = "rare-words"
    needs_index: ClassVar[bool] = True
    uses_recordings: ClassVar[bool] = False
    without_captions: ClassVar[str | None] = "their words do not count as common"
    saves_memory: ClassVar[str | None] = None

    fewest_captions: int = 10

    def __post_init__(self) -> None:
        require_whole("fewest_captions", self.fewest_captions, 1)

    def stronger(self, attempt: int) -> RareWords:
        """Words must stand in twice as many captions, an attempt."""
        return replace(self, fewest_captions=self.fewest_captions * 2**attempt)

    def measure(self, recordings: bool) -> str | None:
        return None
