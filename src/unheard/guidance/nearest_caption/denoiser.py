"""Every prompt is left for the nearest caption that the training set has only once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from unheard.guidance.nearest_caption.settings import NearestCaption
from unheard.guidance.rewritten_prompt import Rewrite, RewrittenPromptDenoiser
from unheard.guidance.trajectory import Trajectory


class NearestCaptionDenoiser(RewrittenPromptDenoiser):
    """Plain guidance under the nearest caption, by shared words and by meaning, as a detour ranks them.

    Where there are fewer captions than asked for, the last is taken; where there is none, no caption.

    Args:
        trajectory: the sounds on their way.
        settings: which of the captions.
        fallbacks: a sample to the positions of the items whose captions it may go on under.
    """

    def __init__(
        self, trajectory: Trajectory, settings: NearestCaption, fallbacks: Callable[[int], Sequence[int]]
    ) -> None:
        super().__init__(trajectory)
        self._settings, self._fallbacks = settings, fallbacks

    def rewrites(self, x: Tensor, sigma: Tensor) -> list[Rewrite | None]:
        return [self._rewrite(sample) for sample in range(len(x))]

    def _rewrite(self, sample: int) -> Rewrite:
        items = self._fallbacks(sample)[: self._settings.nearest]
        if not items:
            return self.unprompted(sample)
        return Rewrite(self.trajectory.encode_captions([items[-1]]), items[-1])
