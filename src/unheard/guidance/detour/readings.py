"""What the gates say of a trajectory that they do not change: what a calibration measures."""

from __future__ import annotations

import torch
from torch import Tensor

from unheard.diffusion.levels import level_of, levels_of
from unheard.diffusion.prediction import alignment, classifier_free, per_sample, predict_both
from unheard.guidance.base import Step
from unheard.guidance.detour.candidates import Candidates
from unheard.guidance.detour.gates.base import Question
from unheard.guidance.detour.gates.latents import LatentGate
from unheard.guidance.detour.gates.pull import PullGate
from unheard.guidance.detour.gates.settled_pull import settled
from unheard.guidance.detour.look_ahead import foreseen
from unheard.guidance.detour.settings import Detour
from unheard.guidance.trajectory import Trajectory

COMPARED_BY = ("threshold", "candidates")
"""The settings that decide which recordings a prediction is compared with, and so change what is read."""


class Readings:
    """Classifier-free guidance beside which both gates are asked at every step.

    It makes the very trajectory that a detour makes as long as its gate stays shut.

    Args:
        trajectory: the sounds on their way.
        settings: the gates' own, of which `COMPARED_BY` count.

    Attributes:
        trace: a `Step` for each call, without values.
        pulls: for each call the pull of each sample [batch], at any noise level.
        excesses: for each call the excess correlation of each sample; empty without recordings.
        settled: how far each sample is settled in full noise; empty before the first call.
    """

    def __init__(self, trajectory: Trajectory, settings: Detour) -> None:
        self._trajectory = trajectory
        self._both = type(trajectory.conditional).cat([trajectory.unconditional, trajectory.conditional])
        self._prompt_guidance = trajectory.backbone.prompt_guidance()
        self._pull = PullGate(settings.pull, trajectory.trim, high_noise=0.0)
        self._latents: LatentGate | None = None
        if trajectory.recordings:
            near = Candidates(trajectory, settings.candidates)
            self._latents = LatentGate(
                settings.threshold,
                trajectory.frames,
                near,
                trajectory.by_frame,
                trajectory.guidance_scale,
            )
        self.trace: list[Step] = []
        self.pulls: list[list[float]] = []
        self.excesses: list[list[float]] = []
        self.settled: list[float] = []

    @torch.no_grad()
    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoise x [batch, *latent_shape] at the noise levels sigma [batch]."""
        unconditional, conditional = predict_both(self._trajectory.backbone.denoise, x, sigma, self._both)
        if not self.trace:
            self.settled = self._settled(x, level_of(sigma), conditional)
            if self._latents is not None:
                self._latents.begin(conditional)
        told = zip(range(len(x)), conditional, unconditional, levels_of(sigma), strict=True)
        questions = [Question(*each) for each in told]
        self.pulls.append([self._pull.ask(question).value for question in questions])
        if self._latents is not None:
            self.excesses.append([self._latents.ask(question).value for question in questions])
        self.trace.append(Step(sigma=level_of(sigma)))
        without = self._prompt_guidance.unconditional(x, sigma, unconditional, conditional)
        return classifier_free(without, conditional, self._trajectory.guidance_scale)

    def _settled(self, x: Tensor, sigma: float, means: Tensor) -> list[float]:
        """How far samples are settled, whose predictions in full noise are `means`."""
        trajectory = self._trajectory
        denoise, conditional = trajectory.backbone.denoise, trajectory.conditional
        finished = foreseen(lambda x, sigma: denoise(x, sigma, conditional), x, sigma)
        return [
            settled(*(trajectory.by_frame(each)[:, : trajectory.frames] for each in pair))
            for pair in zip(means, finished, strict=True)
        ]

    @torch.no_grad()
    def alignments(self, noise: Tensor, sigma: float) -> list[float]:
        """How the prompt's pull is aligned with the score, of pure noise that is told to be of low noise.

        The cosine of the guidance vector `s_c - s_u` and the score without a prompt `s_u`, where the model is
        given noise of unit variance as if it was a sound with little noise (Asthana and Belagiannis 2026,
        ICLR, arXiv 2601.20642).

        Args:
            noise: of unit variance [batch, *latent_shape].
            sigma: a low noise level.
        """
        levels = noise.new_full((len(noise),), sigma)
        x = noise * per_sample(torch.sqrt(1 + levels**2), noise)
        unconditional, conditional = predict_both(self._trajectory.backbone.denoise, x, levels, self._both)
        with_prompt, without, noisy = map(self._trajectory.trim, (conditional, unconditional, x))
        return [float(each) for each in alignment(with_prompt, without, noisy)]
