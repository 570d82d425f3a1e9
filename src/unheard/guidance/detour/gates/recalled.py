"""Where recordings are missing: those that the model itself recalls, under captions like the one tried."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from unheard.guidance.detour.gates.base import Answer, Gate, Neighbourhood, Question
from unheard.guidance.detour.gates.pull import PullGate
from unheard.guidance.detour.gates.shown import Shown
from unheard.guidance.detour.settings import EXCESS


class RecalledGate:
    """A gate and, of captions like the one that is tried, the recordings that the model knows by heart.

    A caption that is tried may lead to the recording of another that shares its words, and it may do so later
    than in full noise, where nothing tells of it (docs/log.md). If that recording is not at hand, the model
    shows it under its own caption, in full noise. A prediction there that pulls harder than most is taken for
    one, and the sample is compared with it from then on.

    Under a prompt it is not asked: in full noise ordinary ones are as like such a recording as copies are.

    Args:
        gate: asked first.
        nearby: names the captions.
        hard: the pull from which on a prediction is taken for a recording, and the noise that it takes.
        threshold, frames, by_frame, guidance_scale: see `LatentGate`.
    """

    def __init__(
        self,
        gate: Gate,
        nearby: Neighbourhood,
        hard: PullGate,
        threshold: float,
        frames: int,
        by_frame: Callable[[Tensor], Tensor] = lambda latents: latents,
        guidance_scale: float = 1.0,
    ) -> None:
        self._gate, self._nearby, self._hard = gate, nearby, hard
        self._threshold, self._frames, self._by_frame = threshold, frames, by_frame
        self._guidance_scale = guidance_scale
        self._tried: dict[int, int | None] = {}
        self._by_heart: dict[tuple[int, int], Shown | None] = {}

    def begin(self, conditional: Tensor) -> None:
        self._gate.begin(conditional)

    def watch(self, sample: int, position: int | None) -> None:
        self._gate.watch(sample, position)
        self._tried[sample] = position

    def ask(self, question: Question) -> Answer:
        answer = self._gate.ask(question)
        tried = self._tried.get(question.sample)
        if answer.open or tried is None or (shown := self._shown_around(tried, question)) is None:
            return answer
        views = [self._of_duration(view) for view in question.views(self._guidance_scale)]
        return answer.unless(Answer(shown.excess(views), EXCESS, self._threshold))

    def _shown_around(self, position: int, question: Question) -> Shown | None:
        """Recordings that the model shows under captions like an item's; None where it shows none."""
        place = question.sample, position
        if place not in self._by_heart:
            pairs = [
                (self._of_duration(recalled.conditional), self._of_duration(question.unconditional))
                for recalled in self._recalled(position, question)
                if self._hard.ask(recalled).open
            ]
            self._by_heart[place] = Shown(pairs, self._frames) if pairs else None
        return self._by_heart[place]

    def _recalled(self, position: int, question: Question) -> list[Question]:
        """The question with the predictions under each caption like an item's in the place of its own."""
        if question.recall is None or not (missing := self._nearby.missing_around(position)):
            return []
        return [question._replace(conditional=each) for each in question.recall(missing)]

    def _of_duration(self, prediction: Tensor) -> Tensor:
        return self._by_frame(prediction)[:, : self._frames]

    def may_try(self, question: Question) -> bool:
        return self._gate.may_try(question)

    def sees_blends(self, sample: int) -> bool:
        return self._gate.sees_blends(sample)
