"""The detour's gate is asked in the first step alone; where it opens, another caption takes over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor

from unheard.diffusion.levels import levels_of
from unheard.diffusion.prediction import predict_both
from unheard.guidance.detour.gates.base import Answer, Gate, Question
from unheard.guidance.rewritten_prompt import Rewrite, RewrittenPromptDenoiser
from unheard.guidance.trajectory import Trajectory


class StaticRewriteDenoiser(RewrittenPromptDenoiser):
    """Plain guidance under the first fallback caption, where the gate opens in the first step.

    Asking takes one more step's predictions. Where no caption is found, the sound goes on without any.

    Args:
        trajectory: the sounds on their way.
        gate: what tells that a sample is a recording.
        fallbacks: a sample to the positions of the items whose captions it may go on under.

    Attributes:
        trace: as of every rewritten prompt; the first `Step` has what the gate said of the prompt.
    """

    def __init__(self, trajectory: Trajectory, gate: Gate, fallbacks: Callable[[int], Sequence[int]]) -> None:
        super().__init__(trajectory)
        self._gate, self._fallbacks = gate, fallbacks
        self._answers: list[Answer] = []

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoise x [batch, *latent_shape] at the noise levels sigma [batch]."""
        denoised = super().__call__(x, sigma)
        if len(self.trace) == 1:
            self.trace[0] = replace(
                self.trace[0],
                value=[answer.value for answer in self._answers],
                measure=[answer.measure for answer in self._answers],
                threshold=[answer.threshold for answer in self._answers],
                neighbour=[answer.position for answer in self._answers],
            )
        return denoised

    def rewrites(self, x: Tensor, sigma: Tensor) -> list[Rewrite | None]:
        prompts, nothing = self.trajectory.conditional, self.trajectory.unconditional
        both = type(prompts).cat([nothing, prompts])
        unconditional, conditional = predict_both(self.trajectory.backbone.denoise, x, sigma, both)
        self._gate.begin(conditional)
        told = zip(conditional, unconditional, levels_of(sigma), strict=True)
        self._answers = [
            self._gate.ask(Question(sample, *each, first=True)) for sample, each in enumerate(told)
        ]
        return [self._rewrite(sample) if answer.open else None for sample, answer in enumerate(self._answers)]

    def _rewrite(self, sample: int) -> Rewrite:
        items = self._fallbacks(sample)
        if not items:
            return self.unprompted(sample)
        return Rewrite(self.trajectory.encode_captions([items[0]]), items[0])
