"""Where recordings are missing: those that the model itself recalls, under captions like another."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from unheard.guidance.detour.gates.base import Answer, Gate, Neighbourhood, Question
from unheard.guidance.detour.gates.pull import PullGate
from unheard.guidance.detour.gates.shown import Shown
from unheard.guidance.detour.settings import EXCESS


class Recollections:
    """Of captions like another, the recordings that the model knows by heart and that are not at hand.

    A caption may lead to the recording of another that shares its words, and it may do so later than in full
    noise, where nothing tells of it (docs/log.md). The model shows that recording under its own caption, in
    full noise. A prediction there that pulls harder than most is taken for one.

    Args:
        nearby: names the captions.
        hard: the pull from which on a prediction is taken for a recording, and the noise that it takes.
        threshold, frames, by_frame: see `LatentGate`.
    """

    def __init__(
        self,
        nearby: Neighbourhood,
        hard: PullGate,
        threshold: float,
        frames: int,
        by_frame: Callable[[Tensor], Tensor] = lambda latents: latents,
    ) -> None:
        self._nearby, self._hard = nearby, hard
        self._threshold, self._frames, self._by_frame = threshold, frames, by_frame
        self._by_heart: dict[tuple[int, int | None], Shown | None] = {}

    def ask(self, question: Question, position: int | None, views: Sequence[Tensor]) -> Answer | None:
        """How much more views [*latent_shape] of a sample correlate with what is recalled than is usual.

        It is recalled from the first question about a sample and an item, which has to recall.

        Args:
            question: of which the sample and its prediction without a caption count.
            position: of the item whose caption others are like; None for the sample's prompt.
            views: of what may be a recording.

        Returns:
            None where the model recalls nothing.
        """
        place = question.sample, position
        if place not in self._by_heart:
            self._by_heart[place] = self._shown(question, position)
        if (shown := self._by_heart[place]) is None:
            return None
        return Answer(shown.excess([self._of_duration(view) for view in views]), EXCESS, self._threshold)

    def _shown(self, question: Question, position: int | None) -> Shown | None:
        """What the model knows by heart of captions like an item's; None where it shows none."""
        missing = [] if question.recall is None else self._nearby.missing_around(question.sample, position)
        if question.recall is None or not missing:
            return None
        recalled = [question._replace(conditional=each) for each in question.recall(missing)]
        pairs = [
            (self._of_duration(each.conditional), self._of_duration(each.unconditional))
            for each in recalled
            if self._hard.ask(each).open
        ]
        return Shown(pairs, self._frames) if pairs else None

    def _of_duration(self, prediction: Tensor) -> Tensor:
        return self._by_frame(prediction)[:, : self._frames]


class RecalledGate:
    """A gate and, once a caption is tried, what the model recalls of captions like it.

    The sample is compared with that from then on. Under a prompt it is not asked: in full noise ordinary ones
    are as like such a recording as copies are. What a prompt has led to is asked at the end, see
    `unheard.guidance.detour.denoiser.DetourDenoiser.replayed`.

    Args:
        gate: asked first.
        recollections: asked where that one is shut.
        guidance_scale: see `LatentGate`.
    """

    def __init__(self, gate: Gate, recollections: Recollections, guidance_scale: float = 1.0) -> None:
        self._gate, self._recollections, self._guidance_scale = gate, recollections, guidance_scale
        self._tried: dict[int, int | None] = {}

    def begin(self, conditional: Tensor) -> None:
        self._gate.begin(conditional)

    def watch(self, sample: int, position: int | None) -> None:
        self._gate.watch(sample, position)
        self._tried[sample] = position

    def ask(self, question: Question) -> Answer:
        answer = self._gate.ask(question)
        tried = self._tried.get(question.sample)
        if answer.open or tried is None:
            return answer
        recalled = self._recollections.ask(question, tried, question.views(self._guidance_scale))
        return answer if recalled is None else answer.unless(recalled)

    def may_try(self, question: Question) -> bool:
        return self._gate.may_try(question)

    def sees_blends(self, sample: int) -> bool:
        return self._gate.sees_blends(sample)
