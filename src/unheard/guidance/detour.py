"""Where the sound on its way is a training recording, its caption is left for a neighbouring one.

Whether it is one, a gate says (`unheard.guidance.gates`): by the latents of training recordings, or where
none are at hand by the pull of the prompt. No decoding, no embedder and no gradient is in the loop. A
prediction that is a recording shows in the first step already, in full noise. Where the gate opens, the
sample goes on under the caption nearest to its prompt that the training set has but once, blended with the
prompt's conditioning: with the largest share of it, in tenths, that shuts the gate. Where even that caption
alone leaves it open, the next one is taken. It never comes back: under its old caption the trajectory would
fall into the recording again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from unheard import amg
from unheard.guidance.gates import Asked, Gate
from unheard.guidance.step import Conditioning, Denoise, Step, predict_both


class DetourDenoiser:
    """Classifier-free guidance that leaves a caption whose prediction is a candidate's recording.

    One instance belongs to one trajectory.

    Args:
        denoise: `denoise(x, sigma, conditioning) -> denoised`.
        conditional, unconditional: conditionings of the prompts and of no prompt, one entry a sample.
        guidance_scale: of classifier-free guidance.
        prompt_share: largest share of the prompt, in tenths, 0 to 0.9.
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
        self._most = round(10 * prompt_share)
        self._unconditional = unconditional
        self._prompt: list[Any] = [conditional.select([sample]) for sample in range(len(conditional))]
        self._caption = list(self._prompt)
        self._to_try = [self._ways_of(ways, sample) for sample in range(len(conditional))]
        self._left: list[tuple[int, float] | None] = [None] * len(conditional)

    @torch.no_grad()
    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoise x [batch, channels, frames] at the noise levels sigma [batch]."""
        conditioning = type(self._unconditional).cat([self._unconditional, *self._caption])
        unconditional, conditional = predict_both(self.denoise, x, sigma, conditioning)
        if not self.trace:
            self.gate.begin(conditional)

        def ask(sample: int) -> Asked:
            return self.gate.ask(sample, conditional[sample], unconditional[sample], float(sigma[sample]))

        asked = [ask(sample) for sample in range(len(x))]
        open_for = [sample for sample, (value, _) in enumerate(asked) if value > self.gate.threshold]
        while turning := [sample for sample in open_for if self._leave(sample)]:
            captions = type(self._unconditional).cat([self._caption[sample] for sample in turning])
            conditional[turning] = self.denoise(x[turning], sigma[turning], captions)
            open_for = [sample for sample in turning if ask(sample)[0] > self.gate.threshold]
        self.trace.append(
            Step(
                sigma=float(sigma[0]),
                similarity=[value for value, _ in asked],
                threshold=[self.gate.threshold] * len(x),
                neighbour=[position for _, position in asked],
                acted=[left is not None for left in self._left],
                way=[None if left is None else left[0] for left in self._left],
                share=[None if left is None else left[1] for left in self._left],
            )
        )
        return amg.classifier_free(unconditional, conditional, self.guidance_scale)

    def _leave(self, sample: int) -> bool:
        """Put a sample on the next way, or give false if there is none left."""
        way, share = next(self._to_try[sample], (None, 0.0))
        if way is None:
            return False
        self._caption[sample] = self._prompt[sample].blended(self.encode_captions([way]), share)
        self._left[sample] = way, share
        return True

    def _ways_of(self, ways: Callable[[int], Sequence[int]], sample: int) -> Iterator[tuple[int, float]]:
        """The nearest caption with falling shares of the prompt, then the others alone."""
        for place, way in enumerate(ways(sample)):
            for tenths in range(self._most if place == 0 else 0, -1, -1):
                yield way, tenths / 10
