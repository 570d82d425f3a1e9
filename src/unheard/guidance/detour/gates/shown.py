"""What the prediction of a prompt shows once a gate has opened: the recording that is not at hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from unheard.guidance.detour.correlation import COMMON_AT_MOST, Recordings
from unheard.guidance.detour.gates.base import Answer, Gate, Question
from unheard.guidance.detour.settings import EXCESS


class Shown:
    """Predictions that stand for recordings which are not at hand.

    Args:
        pairs: of each the prediction under a caption and the one without, [features, frames].
        frames: of what they are compared with.
    """

    def __init__(self, pairs: Sequence[tuple[Tensor, Tensor]], frames: int) -> None:
        self._recordings = Recordings([prediction for prediction, _ in pairs], frames)
        usual = [Recordings([each], frames).correlations(without) for each, without in pairs]
        self._usual = torch.cat(usual).clamp(0, COMMON_AT_MOST)

    def excess(self, views: Sequence[Tensor]) -> float:
        """The largest correlation of views of a prediction [features, frames] with one, less what is usual.

        Usual is what the prediction without a caption has in common with it, .3 at most.
        """
        return float((self._recordings.correlations(torch.stack([*views])) - self._usual).max())


class ShownGate:
    """A gate without recordings and, once that has opened, the recording that the prompt's prediction shows.

    In high noise the prediction for a memorised prompt is its recording. So what is tried in the place of
    that prompt is compared with this prediction as it would be with the recording, though that is not
    available. What is tried must not open the first gate either.

    Args:
        prompted: opens first, by what the prompt alone tells.
        threshold, frames, by_frame, guidance_scale: see `LatentGate`.
    """

    def __init__(
        self,
        prompted: Gate,
        threshold: float,
        frames: int,
        by_frame: Callable[[Tensor], Tensor] = lambda latents: latents,
        guidance_scale: float = 1.0,
    ) -> None:
        self._prompted, self._threshold, self._frames, self._by_frame = prompted, threshold, frames, by_frame
        self._guidance_scale = guidance_scale
        self._shown: dict[int, Shown] = {}

    def begin(self, conditional: Tensor) -> None:
        self._prompted.begin(conditional)

    def watch(self, sample: int, position: int | None) -> None:
        self._prompted.watch(sample, position)

    def ask(self, question: Question) -> Answer:
        if question.sample in self._shown:
            excess = self._excess(question)
            if excess.open:  # the first gate may have to look ahead, which is dear
                return excess
            answer = self._prompted.ask(question)
            return answer if answer.open else excess
        answer = self._prompted.ask(question)
        if answer.open:
            self.show(question)
        return answer

    def show(self, question: Question) -> None:
        """Take a sample's prediction for the recording that it would copy; the first that is shown counts."""
        if question.sample in self._shown:
            return
        pair = self._of_duration(question.conditional), self._of_duration(question.unconditional)
        self._shown[question.sample] = Shown([pair], self._frames)

    def _excess(self, question: Question) -> Answer:
        """How much more predictions correlate with what the prompt showed than is usual."""
        views = [self._of_duration(view) for view in question.views(self._guidance_scale)]
        return Answer(self._shown[question.sample].excess(views), EXCESS, self._threshold)

    def may_try(self, question: Question) -> bool:
        return self._prompted.may_try(question)

    def sees_blends(self, sample: int) -> bool:
        return sample in self._shown

    def _of_duration(self, prediction: Tensor) -> Tensor:
        return self._by_frame(prediction)[:, : self._frames]
