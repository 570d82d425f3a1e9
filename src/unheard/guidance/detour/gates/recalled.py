"""Where recordings are missing: those that the model itself recalls, under captions like the one tried."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from unheard.guidance.detour.gates.base import Answer, Gate, Neighbourhood, Question
from unheard.guidance.detour.gates.shown import Shown
from unheard.guidance.detour.recall import Recall
from unheard.guidance.detour.settings import EXCESS


class RecalledGate:
    """A gate and, of captions like the one that is tried, the recordings that the model knows by heart.

    A caption that is tried may lead to the recording of another that shares its words, and it may do so later
    than in full noise, where nothing tells of it (docs/log.md). If that recording is not at hand, the model
    shows it under its own caption. A prediction there that pulls harder than most is taken for one.

    Under a prompt it is not asked: in full noise ordinary ones are as like such a recording as copies are.
    Neither is it where a sound began in less noise than tells anything.

    Args:
        gate: asked first.
        nearby: names the captions.
        recall: asks the model.
        hard: pull above which a prediction is taken for a recording, in units of the latents.
        high_noise: noise level sigma from which on a prediction shows one.
        threshold, frames, by_frame, guidance_scale: see `LatentGate`.
    """

    def __init__(
        self,
        gate: Gate,
        nearby: Neighbourhood,
        recall: Recall,
        hard: float,
        high_noise: float,
        threshold: float,
        frames: int,
        by_frame: Callable[[Tensor], Tensor] = lambda latents: latents,
        guidance_scale: float = 1.0,
    ) -> None:
        self._gate, self._nearby, self._recall = gate, nearby, recall
        self._hard, self._high_noise = hard, high_noise
        self._threshold, self._frames, self._by_frame = threshold, frames, by_frame
        self._guidance_scale = guidance_scale
        self._highest_noise = 0.0
        self._tried: dict[int, int | None] = {}
        self._by_heart: dict[int, Shown | None] = {}

    def begin(self, conditional: Tensor) -> None:
        self._gate.begin(conditional)

    def watch(self, sample: int, position: int | None) -> None:
        self._gate.watch(sample, position)
        self._tried[sample] = position

    def ask(self, question: Question) -> Answer:
        self._highest_noise = max(self._highest_noise, question.sigma)
        answer = self._gate.ask(question)
        tried = self._tried.get(question.sample)
        if answer.open or tried is None or self._highest_noise < self._high_noise:
            return answer
        if (shown := self._shown_around(tried)) is None:
            return answer
        views = [self._by_frame(view)[:, : self._frames] for view in question.views(self._guidance_scale)]
        excess = Answer(shown.excess(views), EXCESS, self._threshold)
        both_excess = answer.measure == excess.measure
        return excess if excess.open or (both_excess and excess.value > answer.value) else answer

    def _shown_around(self, position: int) -> Shown | None:
        """Recordings that the model shows under captions like an item's; None where it shows none."""
        if position not in self._by_heart:
            recalled = self._recall.of(self._nearby.missing_around(position), self._highest_noise)
            pairs = [(each.prediction, each.without) for each in recalled if each.pull > self._hard]
            self._by_heart[position] = Shown(pairs, self._frames) if pairs else None
        return self._by_heart[position]

    def may_try(self, question: Question) -> bool:
        return self._gate.may_try(question)

    def sees_blends(self, sample: int) -> bool:
        return self._gate.sees_blends(sample)
