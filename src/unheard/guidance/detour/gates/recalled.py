"""Where recordings are missing: those that the model itself recalls, under captions like another."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from unheard.guidance.detour.gates.base import Answer, Gate, Neighbourhood, Question
from unheard.guidance.detour.gates.pull import PullGate
from unheard.guidance.detour.gates.settled_pull import settled
from unheard.guidance.detour.gates.shown import Shown
from unheard.guidance.detour.settings import EXCESS, SETTLED_PULL


class Recollections:
    """Of captions like another, the recordings that the model knows by heart and that are not at hand.

    A caption may lead to the recording of another that shares its words, and it may do so later than in full
    noise, where nothing tells of it (docs/log.md). The model shows that recording under its own caption, in
    full noise.

    Args:
        nearby: names the captions.
        hard: the pull from which on a prediction is taken for a recording, and the noise that it takes.
        settled_pull: how far a caption may settle a finished sound.
        threshold, frames, by_frame: see `LatentGate`.
    """

    def __init__(
        self,
        nearby: Neighbourhood,
        hard: PullGate,
        settled_pull: PullGate,
        threshold: float,
        frames: int,
        by_frame: Callable[[Tensor], Tensor] = lambda latents: latents,
    ) -> None:
        self._nearby, self._hard, self._settled_pull = nearby, hard, settled_pull
        self._threshold, self._frames, self._by_frame = threshold, frames, by_frame
        self._by_heart: dict[tuple[int, int], Shown | None] = {}

    def ask(self, question: Question, position: int, guidance_scale: float) -> Answer | None:
        """How much more a sample's views correlate with what is recalled of captions like one than is usual.

        A prediction that pulls harder than most is taken for a recording. It is recalled from the first
        question about a sample and a caption.

        Args:
            question: about the sample under a caption.
            position: of that caption.
            guidance_scale: see `Question.views`.

        Returns:
            None where the model recalls nothing.
        """
        place = question.sample, position
        if place not in self._by_heart:
            hard = [each for each in self._recalled(question, position) if self._hard.ask(each).open]
            pairs = [
                (self._of_duration(each.conditional), self._of_duration(each.unconditional)) for each in hard
            ]
            self._by_heart[place] = Shown(pairs, self._frames) if pairs else None
        if (shown := self._by_heart[place]) is None:
            return None
        views = [self._of_duration(view) for view in question.views(guidance_scale)]
        return Answer(shown.excess(views), EXCESS, self._threshold)

    def ask_finished(self, question: Question) -> Answer:
        """How far captions like a sample's prompt settle the sound that it has become, 0 if none does.

        As a prompt does by its settled pull, see `SettledPullGate`: their pull in full noise, times the
        correlation of that prediction with the finished sound.

        Args:
            question: in full noise, with the finished latents as the prediction under the prompt.
        """
        finished, threshold = self._of_duration(question.conditional), self._settled_pull.threshold
        values = [0.0]
        for each in self._recalled(question, None):
            pull = self._settled_pull.ask(each)
            if pull.open:  # a correlation is 1 at most
                values.append(pull.value * settled(self._of_duration(each.conditional), finished))
        return Answer(max(values), SETTLED_PULL, threshold)

    def _recalled(self, question: Question, position: int | None) -> list[Question]:
        """The question with the prediction under each caption like another in the place of its own."""
        missing = [] if question.recall is None else self._nearby.missing_around(question.sample, position)
        if question.recall is None or not missing:
            return []
        return [question._replace(conditional=each) for each in question.recall(missing)]

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
        recalled = self._recollections.ask(question, tried, self._guidance_scale)
        return answer if recalled is None else answer.unless(recalled)

    def may_try(self, question: Question) -> bool:
        return self._gate.may_try(question)

    def sees_blends(self, sample: int) -> bool:
        return self._gate.sees_blends(sample)
