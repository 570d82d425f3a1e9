"""Where the sound on its way is a training recording, its caption is left for a neighbouring one.

Whether it is one, a gate says (`unheard.guidance.gates`): by the latents of training recordings, or where
they are not at hand by the pull of the prompt. No decoding, no embedder and no gradient is in the loop. A
prediction that is a recording shows in the first step already, in full noise. Where the gate opens, the
sample goes on under the caption nearest to its prompt that the training set has but once, blended with the
prompt's conditioning: with the largest share of it, in tenths, that shuts the gate. Where none does, the next
captions are tried so, then each alone, and at last no caption. It never comes back: under its old caption the
trajectory would fall into the recording again.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from unheard import amg
from unheard.guidance.gates import Gate
from unheard.guidance.step import Conditioning, Denoise, Step, predict_both

BLENDED = 4
"""How many captions are tried with a share of the prompt before any is tried alone."""

Way = tuple[int | None, float]
"""The item under whose caption a sample goes on, None for no caption, and the share of its prompt."""


class DetourDenoiser:
    """Classifier-free guidance that leaves a caption whose prediction is a candidate's recording.

    One instance belongs to one trajectory.

    Args:
        denoise: `denoise(x, sigma, conditioning) -> denoised`.
        conditional, unconditional: conditionings of the prompts and of no prompt, one entry a sample.
        guidance_scale: of classifier-free guidance.
        prompt_share: largest share of the prompt, in tenths, 0 to 0.9; nothing is kept of it where the gate
            cannot tell what a blend copies.
        gate: what tells that a sample is a recording.
        ways: a sample to the positions of the items whose captions are tried, in this order; asked of samples
            for which the gate opens.
        encode_captions: positions to the conditioning of these items' captions, with the timing asked for.

    Attributes:
        trace: a `Step` for each call; `similarity` is what the gate said before anything was left,
            `neighbour` the recording that it named, `acted` whether the sample is on another way, `way` the
            item whose caption that is, and `share` what is left of the prompt.
    """

    def __init__(
        self,
        denoise: Denoise,
        conditional: Conditioning,
        unconditional: Conditioning,
        *,
        guidance_scale: float,
        prompt_share: float,
        gate: Gate,
        ways: Callable[[int], Sequence[int]],
        encode_captions: Callable[[list[int]], Any],
    ) -> None:
        self.denoise = denoise
        self.guidance_scale = guidance_scale
        self.gate = gate
        self.encode_captions = encode_captions
        self.trace: list[Step] = []
        self._unconditional = unconditional
        self._prompt: list[Any] = [conditional.select([sample]) for sample in range(len(conditional))]
        self._caption = list(self._prompt)
        self._ways, self._most = ways, round(10 * prompt_share)
        self._searches: dict[int, Generator[Way | None, bool | None]] = {}
        self._way: list[Way | None] = [None] * len(conditional)

    @torch.no_grad()
    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoise x [batch, channels, frames] at the noise levels sigma [batch]."""
        conditioning = type(self._unconditional).cat([self._unconditional, *self._caption])
        unconditional, conditional = predict_both(self.denoise, x, sigma, conditioning)
        if not self.trace:
            self.gate.begin(conditional)
        asked = [
            self.gate.ask(sample, conditional[sample], unconditional[sample], float(sigma[sample]))
            for sample in range(len(x))
        ]
        open_for = [sample for sample, answer in enumerate(asked) if answer.open]
        self._leave(open_for, x, sigma, unconditional, conditional)
        self.trace.append(
            Step(
                sigma=float(sigma[0]),
                similarity=[answer.value for answer in asked],
                threshold=[answer.threshold for answer in asked],
                neighbour=[answer.position for answer in asked],
                acted=[way is not None for way in self._way],
                way=[None if way is None else way[0] for way in self._way],
                share=[None if way is None else way[1] for way in self._way],
            )
        )
        return amg.classifier_free(unconditional, conditional, self.guidance_scale)

    def _leave(
        self, open_for: list[int], x: Tensor, sigma: Tensor, unconditional: Tensor, conditional: Tensor
    ) -> None:
        """Put samples on other ways, and their predictions in the place of the conditional ones."""
        for sample in open_for:
            if sample not in self._searches:
                most = self._most if self.gate.sees_blends(sample) else 0
                self._searches[sample] = search(partial(self._ways, sample), most)
        left: set[int] = set()
        answers: dict[int, bool | None] = dict.fromkeys(open_for)
        while tries := {
            sample: way
            for sample, answer in answers.items()
            if (way := self._searches[sample].send(answer)) is not None
        }:
            captions = {
                sample: self._prompt[sample].blended(self._conditioning_of(item, sample), share)
                for sample, (item, share) in tries.items()
            }
            turning = list(tries)
            for sample, (item, _) in tries.items():
                if item is not None:
                    self.gate.watch(sample, item)
            together = type(self._unconditional).cat(list(captions.values()))
            predictions = self.denoise(x[turning], sigma[turning], together)
            answers = {}
            for sample, prediction in zip(turning, predictions, strict=True):
                answer = self.gate.ask(sample, prediction, unconditional[sample], float(sigma[sample]))
                answers[sample] = answer.open
                if not answers[sample]:
                    left.add(sample)
                elif sample in left:
                    continue
                self._caption[sample], self._way[sample] = captions[sample], tries[sample]
                conditional[sample] = prediction

    def _conditioning_of(self, item: int | None, sample: int) -> Conditioning:
        return self._unconditional.select([sample]) if item is None else self.encode_captions([item])


def search(ways: Callable[[], Sequence[int]], most: int) -> Generator[Way | None, bool | None]:
    """What to try one after the other, each answered with whether the gate is still open.

    None says that the last one answered with false is what was looked for, or that nothing is left to try; to
    go on from there says that the gate has opened again. A share is looked for by halves, since a larger one
    leaves the gate open where a smaller one does.

    Args:
        ways: the items whose captions are tried, in this order, before no caption; asked once something is to
            be tried.
        most: largest share, in tenths.
    """
    items = [*ways(), None]
    for item in items[:BLENDED]:
        highest = most
        while highest > 0:
            shut, unsure = 0, highest
            while shut < unsure:
                middle = (shut + unsure + 1) // 2
                if (yield item, middle / 10):
                    unsure = middle - 1
                else:
                    shut = middle
            if shut > 0:
                yield None
            highest = shut - 1
    for item in items:
        if not (yield item, 0.0):
            yield None
    while True:
        yield None
