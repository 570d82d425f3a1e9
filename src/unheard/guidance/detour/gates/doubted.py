"""Where an excess is hardly above the threshold, something else has to speak against the prompt as well."""

from __future__ import annotations

from torch import Tensor

from unheard.guidance.detour.gates.base import Answer, Gate, Question


class DoubtedGate:
    """A gate that is believed alone only well above its threshold, and below that if another has opened too.

    A threshold of a few hundred ordinary captions is uncertain. Above the upper of two values the first gate
    is sure. Between them it takes another to agree, at this step or at one before. What takes the place of
    the prompt has to stay below the lower value, whatever the others say.

    Args:
        doubted: the first gate, whose threshold is the lower value.
        sure: the upper value.
        witness: another gate.
        dear: a third, which is asked only between the two values, if the second has not opened.
    """

    def __init__(self, doubted: Gate, sure: float, witness: Gate, dear: Gate | None = None) -> None:
        self._doubted, self._sure, self._witness, self._dear = doubted, sure, witness, dear
        self._believed: set[int] = set()

    def begin(self, conditional: Tensor) -> None:
        self._doubted.begin(conditional)

    def watch(self, sample: int, position: int | None) -> None:
        self._doubted.watch(sample, position)
        self._believed.add(sample)

    def ask(self, question: Question) -> Answer:
        answer = self._doubted.ask(question)
        if self._believes(question, answer):
            self._believed.add(question.sample)
            return answer
        return answer._replace(threshold=max(self._sure, answer.threshold))

    def _believes(self, question: Question, answer: Answer) -> bool:
        if question.sample in self._believed or self._witness.ask(question).open:
            return True
        doubtful = answer.threshold < answer.value <= self._sure
        return doubtful and self._dear is not None and self._dear.ask(question).open

    def may_try(self, question: Question) -> bool:
        return self._doubted.may_try(question)

    def sees_blends(self, sample: int) -> bool:
        return self._doubted.sees_blends(sample)
