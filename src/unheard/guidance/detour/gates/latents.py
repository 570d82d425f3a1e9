"""Where recordings are available: the latents of a prediction against theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from unheard.guidance.detour.correlation import COMMON_AT_MOST, Recordings, common
from unheard.guidance.detour.gates.base import Answer, Found, Neighbourhood, Question
from unheard.guidance.detour.settings import EXCESS

UNLED = 0.3
"""By how much more the excess has to be with a recording that nothing in the prompt leads to."""
MOST = 0.5
"""Share of the recordings around a sound from which on those that are available tell what is common."""


class LatentGate:
    """How much more a prediction correlates with one recording than with recordings of its kind.

    The excess is `c_1 - min(c_9, .3)` of the correlations in falling order. Early predictions are means over
    what a caption may sound like: that of a drum loop correlates at .57 with a loop that it has nothing to do
    with, but with many others as well. Where a share of half or more of the recordings around a sound is
    available, the rank 9 shrinks with the share; where less is, those that are cannot tell what is common,
    and .3 is taken off. `c_9` is 0 where all are and they are fewer.

    Two predictions are asked, and the larger excess counts, see `Question.views`.

    A sound may turn into recordings that nothing in its prompt leads to, all the more once it has left that
    prompt. So at every question those that its prediction is nearest to are compared with as well, of all
    that are encoded. Among so many some are like it by chance: as long as the prompt is kept, `UNLED` is
    taken off the excess with these, and they do not tell what is common.

    Args:
        threshold: excess above which the gate is open.
        frames: frames of latents that the requested duration covers.
        nearby: finds the recordings to compare with.
        by_frame: one latent, of any rank, to [features, frames].
        guidance_scale: of the guided prediction, by classifier-free guidance.
        sure: excess above which it does not matter what else may be compared with; at least the threshold.
    """

    def __init__(
        self,
        threshold: float,
        frames: int,
        nearby: Neighbourhood,
        by_frame: Callable[[Tensor], Tensor] = lambda latents: latents,
        guidance_scale: float = 1.0,
        sure: float = 0.0,
    ) -> None:
        self._threshold, self._frames, self._nearby, self._by_frame = threshold, frames, nearby, by_frame
        self._sure = max(sure, threshold)
        self._guidance_scale = guidance_scale
        self._candidates: list[Found] = []
        self._recordings: list[Recordings] = []
        self._watched: list[set[int | None]] = []
        self._unled: list[int] = []

    def begin(self, conditional: Tensor) -> None:
        unsure = [sample for sample in range(len(conditional)) if not self._surely(sample, conditional)]
        sounding = self._nearby.sounding_like(conditional[unsure]) if unsure else []
        alike = dict(zip(unsure, sounding, strict=True))
        for sample in range(len(conditional)):
            self._candidates.append(self._nearby.around(sample, alike.get(sample, [])))
        self._recordings = [self._ready(found.latents) for found in self._candidates]
        self._watched = [set() for _ in self._candidates]
        self._unled = [0] * len(self._candidates)

    def _surely(self, sample: int, conditional: Tensor) -> bool:
        """Whether a recording of the caption opens the gate, whatever else may be found and be common."""
        same = self._nearby.of_caption(sample)
        if not same.positions:
            return False
        values = self._ready(same.latents).correlations(self._of_duration(conditional[sample]))
        return bool((values > self._sure + COMMON_AT_MOST).any())

    def watch(self, sample: int, position: int | None) -> None:
        if position in self._watched[sample]:
            return
        self._watched[sample].add(position)
        self._unled[sample] = 0
        if position is not None:
            self._compare_with(sample, self._nearby.around_caption(position))

    def _compare_with(self, sample: int, found: Found) -> int:
        """Put recordings that are new behind those that a sample is compared with; how many there are."""
        positions, latents, share = self._candidates[sample]
        pairs = zip(found.positions, found.latents, strict=True)
        new = {each: own for each, own in pairs if each not in positions}
        if new:
            self._candidates[sample] = Found([*positions, *new], [*latents, *new.values()], share)
            self._recordings[sample].append([self._by_frame(own) for own in new.values()])
        return len(new)

    def _look_around(self, sample: int, conditional: Tensor) -> None:
        """Compare with what a prediction is nearest to; under the prompt only with what may open the gate."""
        prediction = self._of_duration(conditional)
        if self._watched[sample]:
            self._compare_with(sample, self._nearby.nearest(prediction))
        else:
            nearest = self._nearby.nearest(prediction, least=self._threshold + UNLED)
            self._unled[sample] += self._compare_with(sample, nearest)

    def ask(self, question: Question) -> Answer:
        sample = question.sample
        self._look_around(sample, question.conditional)
        positions, _, share = self._candidates[sample]
        if not positions:
            return Answer(0.0, EXCESS, self._threshold)
        views = torch.stack([self._of_duration(view) for view in question.views(self._guidance_scale)])
        values = self._recordings[sample].correlations(views)
        led = len(positions) - self._unled[sample]
        usual = (
            values.new_full((len(views),), COMMON_AT_MOST) if share < MOST else common(values[:, :led], share)
        )
        values[:, led:] -= UNLED
        excess, best = (values - usual[:, None]).flatten().max(dim=0)
        # Both in one transfer, so that the device is waited for once.
        value, best_of_views = torch.stack([excess, best.to(excess)]).tolist()
        return Answer(value, EXCESS, self._threshold, positions[int(best_of_views) % len(positions)])

    def may_try(self, question: Question) -> bool:
        return True

    def sees_blends(self, sample: int) -> bool:
        return True

    def _ready(self, latents: Iterable[Tensor]) -> Recordings:
        return Recordings([self._by_frame(each) for each in latents], self._frames)

    def _of_duration(self, prediction: Tensor) -> Tensor:
        """A prediction as [features, frames of the requested duration]."""
        return self._by_frame(prediction)[:, : self._frames]
