"""Where some recordings are available and some are not."""

from __future__ import annotations

from torch import Tensor

from unheard.guidance.detour.gates.base import Answer, Gate, Neighbourhood, Question


class EitherGate:
    """The latents of the recordings that are available and, where some are not, a gate that needs none.

    Once the latents have opened for a sample, what it would copy is available, and they alone are asked.

    Args:
        latents, prompted: the two gates.
        nearby: says whether some recordings are not available.
    """

    def __init__(self, latents: Gate, prompted: Gate, nearby: Neighbourhood) -> None:
        self._latents, self._prompted, self._nearby = latents, prompted, nearby
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
        elif not self._nearby.complete and question.sample not in self._named:
            other = self._prompted.ask(question)
            both_excess = other.measure == answer.measure
            return other if other.open or (both_excess and other.value > answer.value) else answer
        return answer

    def sees_blends(self, sample: int) -> bool:
        return sample in self._named or self._prompted.sees_blends(sample)
