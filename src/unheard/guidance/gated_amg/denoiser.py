"""The published guidance, in the steps in which the detour's gate is open; plain guidance in all others."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from unheard.diffusion.levels import level_of, levels_of
from unheard.diffusion.prediction import classifier_free, predict_both
from unheard.guidance.amg.denoiser import AMGDenoiser
from unheard.guidance.base import Step
from unheard.guidance.detour.gates.base import Gate, Question
from unheard.guidance.trajectory import Trajectory


class GatedAMGDenoiser:
    """Asks the gate about each sample in each step, and hands those over for which it is open.

    A momentum that strengthens prompts, such as ACE-Step's, begins anew where a sample is first handed over.

    Args:
        trajectory: the sounds on their way.
        gate: what tells that a sample is a recording.
        published: a sample to the published guidance of it alone, which always acts; asked once for each
            sample, when its gate first opens.

    Attributes:
        trace: a `Step` for each call; `value`, `threshold` and `neighbour` are the gate's.
    """

    def __init__(self, trajectory: Trajectory, gate: Gate, published: Callable[[int], AMGDenoiser]) -> None:
        self.trace: list[Step] = []
        self._trajectory, self._gate, self._make = trajectory, gate, published
        self._both = type(trajectory.conditional).cat([trajectory.unconditional, trajectory.conditional])
        self._prompt_guidance = trajectory.backbone.prompt_guidance()
        self._published: dict[int, AMGDenoiser] = {}

    @torch.no_grad()
    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoise x [batch, *latent_shape] at the noise levels sigma [batch].

        Raises:
            GuidanceError: the similarity of a sample or its gradient is not finite.
        """
        unconditional, conditional = predict_both(self._trajectory.backbone.denoise, x, sigma, self._both)
        if not self.trace:
            self._gate.begin(conditional)
        told = zip(conditional, unconditional, levels_of(sigma), strict=True)
        answers = [
            self._gate.ask(Question(sample, *each, first=not self.trace)) for sample, each in enumerate(told)
        ]
        self.trace.append(
            Step(
                sigma=level_of(sigma),
                value=[answer.value for answer in answers],
                measure=[answer.measure for answer in answers],
                threshold=[answer.threshold for answer in answers],
                neighbour=[answer.position for answer in answers],
                acted=[answer.open for answer in answers],
            )
        )
        unconditional = self._prompt_guidance.unconditional(x, sigma, unconditional, conditional)
        guided = classifier_free(unconditional, conditional, self._trajectory.guidance_scale)
        for sample in (number for number, answer in enumerate(answers) if answer.open):
            if sample not in self._published:
                self._published[sample] = self._make(sample)
            guided[[sample]] = self._published[sample](x[[sample]], sigma[[sample]])
        return guided
