"""Where some recordings are available and some are not."""

from __future__ import annotations

from torch import Tensor

from unheard.guidance.detour.gates.base import Answer, Gate, Neighbourhood, Question
from unheard.guidance.detour.gates.shown import ShownGate


class EitherGate:
    """The latents of the recordings that are available and, where some are not, a gate that needs none.

    Where some are missing, that a prompt is like a recording at hand does not say that it leads to no other.
    So its prediction is shown to the second gate, whichever opens first, and what is tried in its place has
    to shut both. Not so of those that a model brings, which are all that it has memorised: once they have
    opened the gate for a sample, they alone are asked.

    Args:
        latents, prompted: the two gates.
        nearby: says whether some recordings are not available.
        memorised: whether those that are available are all that the model has memorised.
    """

    def __init__(
        self, latents: Gate, prompted: ShownGate, nearby: Neighbourhood, memorised: bool = False
    ) -> None:
        self._latents, self._prompted, self._nearby = latents, prompted, nearby
        self._memorised = memorised
        self._named: set[int] = set()

    def begin(self, conditional: Tensor) -> None:
        self._latents.begin(conditional)
        self._prompted.begin(conditional)

    def watch(self, sample: int, position: int | None) -> None:
        self._latents.watch(sample, position)
        self._prompted.watch(sample, position)

    def ask(self, question: Question) -> Answer:
        answer = self._latents.ask(question)
        if answer.open:
            self._named.add(question.sample)
            self._prompted.show(question)
        if answer.open or self._latents_alone(question.sample):
            return answer
        return answer.unless(self._prompted.ask(question))

    def _latents_alone(self, sample: int) -> bool:
        """Whether no recording is missing that a sample could copy."""
        return self._nearby.complete or (self._memorised and sample in self._named)

    def may_try(self, question: Question) -> bool:
        return self._latents_alone(question.sample) or self._prompted.may_try(question)

    def sees_blends(self, sample: int) -> bool:
        return sample in self._named or self._prompted.sees_blends(sample)
