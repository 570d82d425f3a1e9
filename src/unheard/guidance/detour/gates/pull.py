"""Where no recordings are available: how far the prompt pulls the prediction in high noise."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from unheard.diffusion.prediction import pull
from unheard.guidance.detour.gates.base import Answer, Question
from unheard.guidance.detour.settings import HIGH_NOISE, PULL


class PullGate:
    """How far the prompt pulls the prediction away from what it is without a prompt, in high noise.

    The magnitude of `D_c - D_u` (Wen et al., ICLR 2024; `unheard.diffusion.prediction.pull`): in
    full noise a prediction is a mean over what the prompt may sound like, and only a prompt that stands for
    one recording pulls as far as that recording itself. It needs no training set, and cannot name a copy. A
    blend pulls less than its prompt long before it stops copying (docs/log.md).

    Args:
        threshold: pull above which the gate is open, in units of the latents.
        trim: latents to the frames that the requested duration covers.
        high_noise: noise level sigma down to which it is asked, see `unheard.guidance.detour.high_noise`. In
            the first step it always is: what starts from a sound may begin below.

    Attributes:
        threshold: as given.
    """

    def __init__(
        self, threshold: float, trim: Callable[[Tensor], Tensor], high_noise: float = HIGH_NOISE
    ) -> None:
        self.threshold, self._trim, self._high_noise = threshold, trim, high_noise

    def begin(self, conditional: Tensor) -> None:
        pass

    def watch(self, sample: int, position: int | None) -> None:
        pass

    def tells(self, question: Question) -> bool:
        """Whether there is enough noise for it to be asked."""
        return question.first or question.sigma >= self._high_noise

    def ask(self, question: Question) -> Answer:
        if not self.tells(question):
            return Answer(0.0, PULL, self.threshold)
        predictions = question.conditional, question.unconditional
        with_prompt, without = (self._trim(each)[None].float() for each in predictions)
        return Answer(float(pull(with_prompt, without)), PULL, self.threshold)

    def may_try(self, question: Question) -> bool:
        return True

    def sees_blends(self, sample: int) -> bool:
        return False
