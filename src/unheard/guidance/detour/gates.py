"""What tells a detour that the sound on its way is a training recording.

`LatentGate` where the recordings are available: the prediction's latents against theirs. `PullGate` where
they are not: how far the prompt pulls the prediction in high noise. `SettledPullGate`: the same, as far as it
settles the sound. `ShownGate` adds the recording that the prompt's own prediction shows then. `EitherGate`
where some are and some are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from unheard.diffusion.prediction import classifier_free, pull
from unheard.guidance.detour.correlation import COMMON_AT_MOST, Recordings, common
from unheard.guidance.detour.settings import EXCESS, HIGH_NOISE, PULL, SETTLED_PULL

UNLED = 0.3
"""By how much more the excess has to be with a recording that nothing in the prompt leads to."""
MOST = 0.5
"""Share of the recordings around a sound from which on those that are available tell what is common."""

Finish = Callable[[], Tensor]
"""Gives a sample's finished latents [*latent_shape] under its caption, as they are foreseen; dear."""


class Found(NamedTuple):
    """Training recordings.

    Attributes:
        positions: in the index.
        latents: of each, of its own frames.
        share: how many of the recordings that were looked for are available, 0 to 1.
    """

    positions: list[int]
    latents: list[Tensor]
    share: float = 1.0


class Answer(NamedTuple):
    """What a gate says of a prediction.

    Attributes:
        value: how strongly it is a recording.
        measure: what that value is, in words.
        threshold: above which the gate is open.
        position: of that recording in the index, if one is known.
    """

    value: float
    measure: str
    threshold: float
    position: int | None = None

    @property
    def open(self) -> bool:
        return self.value > self.threshold


class Gate(Protocol):
    """Asked about each sample in each step."""

    def begin(self, conditional: Tensor) -> None:
        """Told the first predictions of all samples [batch, *latent_shape], once."""

    def watch(self, sample: int, position: int | None) -> None:
        """Told the item under whose caption a sample may go on, None for no caption.

        What that leads to is not copied either.
        """

    def ask(
        self,
        sample: int,
        conditional: Tensor,
        unconditional: Tensor,
        sigma: float,
        finish: Finish | None = None,
    ) -> Answer:
        """About a sample's predictions [*latent_shape] at a noise level; `finish` looks ahead from there."""
        ...

    def sees_blends(self, sample: int) -> bool:
        """Whether it can tell of a sample that a blend of its prompt with another caption copies no more."""
        ...


class Neighbourhood(Protocol):
    """Finds the training recordings around each sample."""

    def of_caption(self, sample: int) -> Found:
        """Those of the sample's very caption."""
        ...

    def sounding_like(self, denoised: Tensor) -> list[list[int]]:
        """Positions of what sounds like predictions [samples, *latent_shape], for each; dear."""
        ...

    def around(self, sample: int, sounding: list[int]) -> Found:
        """All to compare a sample with, given what sounds like it; nothing, if that was not asked."""
        ...

    def around_caption(self, position: int) -> Found:
        """All that a sound under an item's caption may turn into."""
        ...

    def nearest(self, denoised: Tensor, least: float = -1.0) -> Found:
        """Of all recordings that are encoded those that a prediction [features, frames] is most like.

        Only those whose likeness at a glance, a cosine, is above `least`.
        """
        ...

    @property
    def complete(self) -> bool:
        """Whether no item lacked its recording, of all there are and all that were read so far."""
        ...


class LatentGate:
    """How much more a prediction correlates with one recording than with recordings of its kind.

    The excess is `c_1 - min(c_9, .3)` of the correlations in falling order. Early predictions are means over
    what a caption may sound like: that of a drum loop correlates at .57 with a loop that it has nothing to do
    with, but with many others as well. Where a share of half or more of the recordings around a sound is
    available, the rank 9 shrinks with the share; where less is, those that are cannot tell what is common,
    and .3 is taken off. `c_9` is 0 where all are and they are fewer.

    Two predictions are asked, and the larger excess counts: that under the prompt, and the guided one, which
    the sound follows. A negative prompt takes away what recordings have in common, and leaves one of them.

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
    """

    def __init__(
        self,
        threshold: float,
        frames: int,
        nearby: Neighbourhood,
        by_frame: Callable[[Tensor], Tensor] = lambda latents: latents,
        guidance_scale: float = 1.0,
    ) -> None:
        self._threshold, self._frames, self._nearby, self._by_frame = threshold, frames, nearby, by_frame
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
        return bool((values > self._threshold + COMMON_AT_MOST).any())

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

    def ask(
        self,
        sample: int,
        conditional: Tensor,
        unconditional: Tensor,
        sigma: float,
        finish: Finish | None = None,
    ) -> Answer:
        self._look_around(sample, conditional)
        positions, _, share = self._candidates[sample]
        if not positions:
            return Answer(0.0, EXCESS, self._threshold)
        guided = classifier_free(unconditional, conditional, self._guidance_scale)
        both = [conditional] if self._guidance_scale == 1.0 else [conditional, guided]
        views = torch.stack([self._of_duration(view) for view in both])
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

    def sees_blends(self, sample: int) -> bool:
        return True

    def _ready(self, latents: Iterable[Tensor]) -> Recordings:
        return Recordings([self._by_frame(each) for each in latents], self._frames)

    def _of_duration(self, prediction: Tensor) -> Tensor:
        """A prediction as [features, frames of the requested duration]."""
        return self._by_frame(prediction)[:, : self._frames]


class PullGate:
    """How far the prompt pulls the prediction away from what it is without a prompt, in high noise.

    The magnitude of `D_c - D_u` (Wen et al., ICLR 2024; `unheard.diffusion.prediction.pull`): in
    full noise a prediction is a mean over what the prompt may sound like, and only a prompt that stands for
    one recording pulls as far as that recording itself. It needs no training set, and cannot name a copy. A
    blend pulls less than its prompt long before it stops copying (docs/log.md).

    Args:
        threshold: pull above which the gate is open, in units of the latents.
        trim: latents to the frames that the requested duration covers.
        high_noise: noise level sigma down to which it is asked, see `unheard.guidance.detour.high_noise`.
    """

    def __init__(
        self, threshold: float, trim: Callable[[Tensor], Tensor], high_noise: float = HIGH_NOISE
    ) -> None:
        self._threshold, self._trim, self._high_noise = threshold, trim, high_noise

    def begin(self, conditional: Tensor) -> None:
        pass

    def watch(self, sample: int, position: int | None) -> None:
        pass

    def ask(
        self,
        sample: int,
        conditional: Tensor,
        unconditional: Tensor,
        sigma: float,
        finish: Finish | None = None,
    ) -> Answer:
        if sigma < self._high_noise:
            return Answer(0.0, PULL, self._threshold)
        with_prompt, without = (self._trim(each)[None].float() for each in (conditional, unconditional))
        return Answer(float(pull(with_prompt, without)), PULL, self._threshold)

    def sees_blends(self, sample: int) -> bool:
        return False


class SettledPullGate:
    """The prompt's pull in full noise, as far as it settles the sound, whatever the noise; asked once.

    In full noise a prediction is the mean of what the prompt may sound like. A memorised prompt sounds like
    one recording, so that its mean is that recording, and the finished sound is that mean. The pull is
    multiplied by the correlation of both, at the best time shift. Images that are alike under any noise were
    what Carlini et al. (USENIX Security 2023, arXiv 2301.13188) told memorised ones by. It needs no training
    set, and cannot name a copy.

    The finished sound is foreseen, which is dear. A correlation is 1 at most, so it is not asked of prompts
    that pull no more than the threshold.

    Args:
        pull: whose threshold it has.
        frames, by_frame: see `LatentGate`.
    """

    def __init__(
        self, pull: PullGate, frames: int, by_frame: Callable[[Tensor], Tensor] = lambda latents: latents
    ) -> None:
        self._pull, self._frames, self._by_frame = pull, frames, by_frame
        self._asked: set[int] = set()

    def begin(self, conditional: Tensor) -> None:
        pass

    def watch(self, sample: int, position: int | None) -> None:
        self._asked.discard(sample)

    def ask(
        self,
        sample: int,
        conditional: Tensor,
        unconditional: Tensor,
        sigma: float,
        finish: Finish | None = None,
    ) -> Answer:
        first = sample not in self._asked
        self._asked.add(sample)
        pull = self._pull.ask(sample, conditional, unconditional, sigma)
        if not first or finish is None or not pull.open:
            return Answer(0.0, SETTLED_PULL, pull.threshold)
        mean, finished = (self._by_frame(each)[:, : self._frames] for each in (conditional, finish()))
        return Answer(pull.value * settled(mean, finished), SETTLED_PULL, pull.threshold)

    def sees_blends(self, sample: int) -> bool:
        return False


def settled(mean: Tensor, finished: Tensor) -> float:
    """How far a sound is settled in full noise: the correlation of its prediction with what comes of it.

    It is taken at the best time shift; its square is the share of the variance that the prompt accounts for.

    Args:
        mean, finished: [features, frames].
    """
    return float(Recordings([finished.float()], finished.shape[-1]).correlations(mean.float()))


class ShownGate:
    """A gate without recordings and, once that has opened, the recording that the prompt's prediction shows.

    In high noise the prediction for a memorised prompt is its recording. So what is tried in the place of
    that prompt is compared with this prediction as it would be with the recording, though that is not
    available. What is common is what the prediction without a prompt has in common with it, .3 at most. What
    is tried must not open the first gate either.

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
        self._shown: dict[int, tuple[Recordings, float]] = {}

    def begin(self, conditional: Tensor) -> None:
        self._prompted.begin(conditional)

    def watch(self, sample: int, position: int | None) -> None:
        self._prompted.watch(sample, position)

    def ask(
        self,
        sample: int,
        conditional: Tensor,
        unconditional: Tensor,
        sigma: float,
        finish: Finish | None = None,
    ) -> Answer:
        if sample in self._shown:
            excess = self._excess(sample, conditional, unconditional)
            if excess.open:  # the first gate may have to look ahead, which is dear
                return excess
            answer = self._prompted.ask(sample, conditional, unconditional, sigma, finish)
            return answer if answer.open else excess
        answer = self._prompted.ask(sample, conditional, unconditional, sigma, finish)
        if answer.open:
            shown = Recordings([self._of_duration(conditional)], self._frames)
            usual = float(shown.correlations(self._of_duration(unconditional)))
            self._shown[sample] = shown, min(max(usual, 0.0), COMMON_AT_MOST)
        return answer

    def _excess(self, sample: int, conditional: Tensor, unconditional: Tensor) -> Answer:
        """How much more predictions correlate with what the prompt showed than is common."""
        shown, usual = self._shown[sample]
        guided = classifier_free(unconditional, conditional, self._guidance_scale)
        both = [conditional] if self._guidance_scale == 1.0 else [conditional, guided]
        values = shown.correlations(torch.stack([self._of_duration(view) for view in both]))
        return Answer(float(values.max()) - usual, EXCESS, self._threshold)

    def sees_blends(self, sample: int) -> bool:
        return sample in self._shown

    def _of_duration(self, prediction: Tensor) -> Tensor:
        return self._by_frame(prediction)[:, : self._frames]


class EitherGate:
    """The latents of the recordings that are available and, where some are not, a gate that needs none.

    Once the latents have opened for a sample, what it would copy is available, and they alone are asked.

    Args:
        latents, prompted: the two gates.
        nearby: says whether some recordings are not available.
    """

    def __init__(self, latents: LatentGate, prompted: Gate, nearby: Neighbourhood) -> None:
        self._latents, self._prompted, self._nearby = latents, prompted, nearby
        self._named: set[int] = set()

    def begin(self, conditional: Tensor) -> None:
        self._latents.begin(conditional)
        self._prompted.begin(conditional)

    def watch(self, sample: int, position: int | None) -> None:
        self._latents.watch(sample, position)
        self._prompted.watch(sample, position)

    def ask(
        self,
        sample: int,
        conditional: Tensor,
        unconditional: Tensor,
        sigma: float,
        finish: Finish | None = None,
    ) -> Answer:
        answer = self._latents.ask(sample, conditional, unconditional, sigma)
        if answer.open:
            self._named.add(sample)
        elif not self._nearby.complete and sample not in self._named:
            other = self._prompted.ask(sample, conditional, unconditional, sigma, finish)
            both_excess = other.measure == answer.measure
            return other if other.open or (both_excess and other.value > answer.value) else answer
        return answer

    def sees_blends(self, sample: int) -> bool:
        return sample in self._named or self._prompted.sees_blends(sample)
