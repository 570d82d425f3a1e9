"""What tells a detour that the sound on its way is a training recording.

`LatentGate` where the recordings are at hand: the prediction's latents against theirs. `PullGate` where they
are not: how far the prompt pulls the prediction in high noise. `EitherGate` where some are and some are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from unheard.guidance.prompt_adjustment import magnitude

COMMON_RANK = 8
"""How many recordings may resemble a prediction more than is common: the next one tells what is common."""
COMMON_AT_MOST = 0.3
"""What is common at most: many takes or duplicates of a recording are no excuse for copying it."""
HIGH_NOISE = 10.0
"""Noise level sigma, in units of the latents' spread, down to which the prompt's pull tells anything."""

Found = tuple[list[int], list[Tensor]]
"""Training recordings: their positions in the index, and their latents, each [channels, its frames]."""


class Answer(NamedTuple):
    """What a gate says of a prediction.

    Attributes:
        value: how strongly it is a recording.
        threshold: above which the gate is open.
        position: of that recording in the index, if one is known.
    """

    value: float
    threshold: float
    position: int | None = None

    @property
    def open(self) -> bool:
        return self.value > self.threshold


class Gate(Protocol):
    """Asked about each sample in each step."""

    def begin(self, conditional: Tensor) -> None:
        """Told the first predictions of all samples [batch, channels, frames], once."""

    def watch(self, sample: int, position: int) -> None:
        """Told the item under whose caption a sample may go on: its recording is not to be copied either."""

    def ask(self, sample: int, conditional: Tensor, unconditional: Tensor, sigma: float) -> Answer:
        """About a sample's predictions [channels, frames] at a noise level."""
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
        """Positions of what sounds like predictions [samples, channels, frames], for each; dear."""
        ...

    def around(self, sample: int, sounding: list[int]) -> Found:
        """All to compare a sample with, given what sounds like it; nothing, if that was not asked."""
        ...

    def at_hand(self, positions: Iterable[int]) -> Found:
        """Those of these items whose recordings are at hand."""
        ...

    @property
    def complete(self) -> bool:
        """Whether no item lacked its recording, of all there are and all that were read so far."""
        ...


class LatentGate:
    """How much more a prediction correlates with one recording than with recordings of its kind.

    The excess is `c_1 - min(c_9, .3)` of the correlations in falling order. Early predictions are means over
    what a caption may sound like: that of a drum loop correlates at .57 with a loop that it has nothing to do
    with, but with many others as well. Where some recordings are not at hand, those that are cannot tell what
    is common, and .3 is taken off; `c_9` is 0 where all are and they are fewer.

    Args:
        threshold: excess above which the gate is open.
        frames: frames of latents that the requested duration covers.
        nearby: finds the recordings to compare with.
    """

    def __init__(self, threshold: float, frames: int, nearby: Neighbourhood) -> None:
        self._threshold, self._frames, self._nearby = threshold, frames, nearby
        self._candidates: list[Found] = []
        self._recordings: list[Recordings] = []

    def begin(self, conditional: Tensor) -> None:
        unsure = [sample for sample in range(len(conditional)) if not self._surely(sample, conditional)]
        sounding = self._nearby.sounding_like(conditional[unsure]) if unsure else []
        heard = dict(zip(unsure, sounding, strict=True))
        for sample in range(len(conditional)):
            self._candidates.append(self._nearby.around(sample, heard.get(sample, [])))
        self._recordings = [Recordings(latents, self._frames) for _, latents in self._candidates]

    def _surely(self, sample: int, conditional: Tensor) -> bool:
        """Whether a recording of the caption opens the gate, whatever else may be found and be common."""
        _, latents = self._nearby.of_caption(sample)
        if not latents:
            return False
        values = Recordings(latents, self._frames).correlations(conditional[sample, :, : self._frames])
        return bool((values > self._threshold + COMMON_AT_MOST).any())

    def watch(self, sample: int, position: int) -> None:
        positions, latents = self._candidates[sample]
        if position not in positions:
            own, recordings = self._nearby.at_hand([position])
            self._candidates[sample] = [*positions, *own], [*latents, *recordings]
            self._recordings[sample] = Recordings(self._candidates[sample][1], self._frames)

    def ask(self, sample: int, conditional: Tensor, unconditional: Tensor, sigma: float) -> Answer:
        positions, _ = self._candidates[sample]
        if not positions:
            return Answer(0.0, self._threshold)
        values = self._recordings[sample].correlations(conditional[:, : self._frames])
        best = int(values.argmax())
        beyond = excess(values) if self._nearby.complete else values.max() - COMMON_AT_MOST
        return Answer(float(beyond), self._threshold, positions[best])

    def sees_blends(self, sample: int) -> bool:
        return True


class PullGate:
    """How far the prompt pulls the prediction away from what it is without a prompt, in high noise.

    The magnitude of `D_c - D_u` (Wen et al., ICLR 2024; `unheard.guidance.prompt_adjustment.magnitude`): in
    full noise a prediction is a mean over what the prompt may sound like, and only a prompt that stands for
    one recording pulls as far as that recording itself. It needs no training set, and cannot name a copy. A
    blend pulls less than its prompt long before it stops copying (docs/log.md).

    Args:
        threshold: magnitude above which the gate is open, in units of the latents.
        frames: frames of latents that the requested duration covers.
    """

    def __init__(self, threshold: float, frames: int) -> None:
        self._threshold, self._frames = threshold, frames

    def begin(self, conditional: Tensor) -> None:
        pass

    def watch(self, sample: int, position: int) -> None:
        pass

    def ask(self, sample: int, conditional: Tensor, unconditional: Tensor, sigma: float) -> Answer:
        if sigma < HIGH_NOISE:
            return Answer(0.0, self._threshold)
        with_prompt, without = (
            each[None, :, : self._frames].float() for each in (conditional, unconditional)
        )
        return Answer(float(magnitude(with_prompt, without)), self._threshold)

    def sees_blends(self, sample: int) -> bool:
        return False


class EitherGate:
    """The latents of the recordings that are at hand and, where some are not, the pull of the prompt as well.

    Once the latents have opened for a sample, what it would copy is at hand, and they alone are asked.

    Args:
        latents, pull: the two gates.
        nearby: says whether some recordings are not at hand.
    """

    def __init__(self, latents: LatentGate, pull: PullGate, nearby: Neighbourhood) -> None:
        self._latents, self._pull, self._nearby = latents, pull, nearby
        self._named: set[int] = set()

    def begin(self, conditional: Tensor) -> None:
        self._latents.begin(conditional)

    def watch(self, sample: int, position: int) -> None:
        self._latents.watch(sample, position)

    def ask(self, sample: int, conditional: Tensor, unconditional: Tensor, sigma: float) -> Answer:
        answer = self._latents.ask(sample, conditional, unconditional, sigma)
        if answer.open:
            self._named.add(sample)
        elif not self._nearby.complete and sample not in self._named:
            pull = self._pull.ask(sample, conditional, unconditional, sigma)
            return pull if pull.open else answer
        return answer

    def sees_blends(self, sample: int) -> bool:
        return sample in self._named


class Recordings:
    """Latents of recordings, ready to be correlated with predictions.

    Args:
        latents: one or more [channels, frames]; lengths may differ.
        frames: of the predictions.
    """

    def __init__(self, latents: Sequence[Tensor], frames: int) -> None:
        centred = [_centred(each) for each in latents]
        self._size = frames + max((each.shape[-1] for each in centred), default=0)
        norms = [_norms(each, frames, self._size) for each in centred]
        self._norms = torch.stack(norms) if centred else torch.empty(0)
        spectra = [torch.fft.rfft(each, self._size).conj() for each in centred]
        self._spectra = torch.stack(spectra) if spectra else torch.empty(0)

    def correlations(self, denoised: Tensor) -> Tensor:
        """Correlations [recordings] of latents [channels, frames] at the best time shift, -1 to 1.

        Every channel's mean over time is taken out. The prediction counts whole, and of a longer recording
        only the passage that it meets: one minute of an hour is copied as much as one of a minute. A quiet
        passage counts as no less than a mean one, since with near-silence all correlates by chance.
        """
        own = _centred(denoised)
        spectrum = torch.fft.rfft(own, self._size)
        products = torch.fft.irfft((spectrum * self._spectra).sum(dim=1), self._size)
        return (products / self._norms).amax(dim=-1) / own.norm().clamp(min=1e-6)


def excess(correlations: Tensor) -> Tensor:
    """`c_1 - min(c_9, .3)` of correlations [recordings], a scalar."""
    common = correlations.new_zeros(())
    if len(correlations) > COMMON_RANK:
        common = correlations.topk(COMMON_RANK + 1).values[-1].clamp(0, COMMON_AT_MOST)
    return correlations.max() - common


def _centred(latents: Tensor) -> Tensor:
    latents = latents.float()
    return latents - latents.mean(dim=-1, keepdim=True)


def _norms(recording: Tensor, frames: int, size: int) -> Tensor:
    """Norms [size] of the passages of a recording [channels, its frames] that a prediction meets, by shift.

    At place `t` the prediction begins `t` frames before the recording; places from the end count backwards.
    """
    length = recording.shape[-1]
    energy = torch.nn.functional.pad(recording.square().sum(dim=0).cumsum(dim=0), (1, 0))
    shift = torch.arange(size, device=recording.device)
    shift = torch.where(shift < frames, shift, shift - size)
    first, last = (-shift).clamp(0, length), (frames - shift).clamp(0, length)
    least = energy[-1] * min(frames, length) / length
    return (energy[last] - energy[first]).clamp(min=least).sqrt().clamp(min=1e-6)
