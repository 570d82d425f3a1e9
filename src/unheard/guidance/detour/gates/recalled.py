"""Where recordings are missing: those that the model itself recalls, under captions like the one tried."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from unheard.guidance.detour.gates.base import Answer, Gate, Neighbourhood, Question
from unheard.guidance.detour.gates.shown import Shown
from unheard.guidance.detour.recall import Recall
from unheard.guidance.detour.settings import EXCESS


class RecalledGate:
    """A gate and, of captions like a sample's, the recordings that the model knows by heart.

    A prompt, or a caption that is tried in its place, may lead to the recording of another caption that
    shares its words, and it may do so later than in full noise, where nothing tells of it (docs/log.md). If
    that recording is not at hand, the model shows it under its own caption. A prediction there that pulls
    harder than most is taken for one.

    Args:
        gate: asked first.
        nearby: names the captions.
        recall: asks the model.
        hard: pull above which a prediction is taken for a recording, in units of the latents.
        threshold, frames, by_frame, guidance_scale: see `LatentGate`.
    """

    def __init__(
        self,
        gate: Gate,
        nearby: Neighbourhood,
        recall: Recall,
        hard: float,
        threshold: float,
        frames: int,
        by_frame: Callable[[Tensor], Tensor] = lambda latents: latents,
        guidance_scale: float = 1.0,
    ) -> None:
        self._gate, self._nearby, self._recall, self._hard = gate, nearby, recall, hard
        self._threshold, self._frames, self._by_frame = threshold, frames, by_frame
        self._guidance_scale = guidance_scale
        self._highest_noise = 0.0
        self._tried: dict[int, int | None] = {}
        self._of_prompt: dict[int, list[Shown]] = {}
        self._of_caption: dict[int, list[Shown]] = {}

    def begin(self, conditional: Tensor) -> None:
        self._gate.begin(conditional)

    def watch(self, sample: int, position: int | None) -> None:
        self._gate.watch(sample, position)
        self._tried[sample] = position

    def ask(self, question: Question) -> Answer:
        self._highest_noise = max(self._highest_noise, question.sigma)
        answer = self._gate.ask(question)
        if answer.open or not (shown := self._shown_to(question.sample)):
            return answer
        views = [self._by_frame(view)[:, : self._frames] for view in question.views(self._guidance_scale)]
        excess = Answer(max(each.excess(views) for each in shown), EXCESS, self._threshold)
        both_excess = answer.measure == excess.measure
        return excess if excess.open or (both_excess and excess.value > answer.value) else answer

    def _shown_to(self, sample: int) -> list[Shown]:
        """Recordings that the model shows under captions like a sample's prompt, and like what is tried."""
        if sample not in self._of_prompt:
            self._of_prompt[sample] = self._by_heart(self._nearby.missing_around_prompt(sample))
        if (tried := self._tried.get(sample)) is None:
            return self._of_prompt[sample]
        if tried not in self._of_caption:
            self._of_caption[tried] = self._by_heart(self._nearby.missing_around(tried))
        return [*self._of_prompt[sample], *self._of_caption[tried]]

    def _by_heart(self, positions: list[int]) -> list[Shown]:
        """What the model shows under the captions of items, if it knows any of these by heart."""
        recalled = self._recall.of(positions, self._highest_noise) if positions else []
        pairs = [(each.prediction, each.without) for each in recalled if each.pull > self._hard]
        return [Shown(pairs, self._frames)] if pairs else []

    def may_try(self, question: Question) -> bool:
        return self._gate.may_try(question)

    def sees_blends(self, sample: int) -> bool:
        return self._gate.sees_blends(sample)
