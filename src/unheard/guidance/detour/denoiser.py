"""Where the sound on its way is a training recording, its caption is left for a neighbouring one.

Whether it is one, a gate says (`unheard.guidance.detour.gates`): by the latents of training recordings, or
where they are not available by what the prompt alone does. No decoding, no embedder and no gradient is in the
loop. A prediction that is a recording shows in the first step already, in full noise. Where the gate opens,
the sample goes on under the caption nearest to its prompt that the training set has but once, blended with
the prompt's conditioning: with the largest weight of it, in tenths, that shuts the gate. Where none does, the
next captions are tried so, then each alone. It never comes back: under its old caption the trajectory would
fall into the recording again. Where no caption shuts the gate, it goes on without any, unless the user wants
otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from unheard.backbones.base import Conditioning
from unheard.diffusion.levels import level_of, levels_of
from unheard.diffusion.prediction import Denoise, classifier_free, predict_both
from unheard.diffusion.prompt_guidance import CLASSIFIER_FREE, PromptGuidance
from unheard.guidance.base import Step
from unheard.guidance.detour.gates.base import Answer, Gate, Question
from unheard.guidance.detour.gates.recalled import Recollections
from unheard.guidance.detour.look_ahead import foreseen
from unheard.guidance.detour.search import NOTHING, Fallback, search
from unheard.guidance.detour.settings import UNCONDITIONAL, UNGUIDED, IfNoWay


class DetourDenoiser:
    """Classifier-free guidance that leaves a caption whose prediction is a candidate's recording.

    One instance belongs to one trajectory.

    Args:
        denoise: `denoise(x, sigma, conditioning) -> denoised`.
        conditional, unconditional: conditionings of the prompts and of no prompt, one entry a sample.
        guidance_scale: of classifier-free guidance.
        prompt_guidance: what stands for the prediction without a prompt.
        prompt_weight: largest weight of the prompt, in tenths, 0 to 0.9; nothing is kept of it where the gate
            cannot tell what a blend copies.
        gate: what tells that a sample is a recording.
        blend_threshold: share of the gate's threshold that what is tried has to stay below.
        fallbacks: a sample to the positions of the captions that are tried, in this order; asked of samples
            for which the gate opens.
        encode_captions: positions to the conditioning of these captions, with the timing asked for.
        if_no_way: whether a sample for which no caption shuts the gate goes on under its prompt, "unguided",
            or without any caption, as all others.
        way: number of the caption, of those that shut the gate, that all samples begin under; 0 for the
            prompt.
        wording: a position to the other wording of the prompt that stands there; None for an item's.
        recollections: what the model recalls of captions like a prompt; None where that is not asked.

    Attributes:
        trace: a `Step` for each call; `value` is what the gate said before anything was left, `neighbour` the
            recording that it named, `acted` whether the sample has left its prompt, `fallback` the item whose
            caption it goes on under, `caption` the other wording that it goes on under, `prompt_weight` what
            is left of the prompt, and `no_way` whether no caption shut the gate.
    """

    def __init__(
        self,
        denoise: Denoise,
        conditional: Conditioning,
        unconditional: Conditioning,
        *,
        guidance_scale: float,
        prompt_weight: float,
        gate: Gate,
        fallbacks: Callable[[int], Sequence[int]],
        encode_captions: Callable[[list[int]], Any],
        blend_threshold: float = 0.5,
        prompt_guidance: PromptGuidance = CLASSIFIER_FREE,
        if_no_way: IfNoWay = UNCONDITIONAL,
        way: int = 0,
        wording: Callable[[int], str | None] = lambda _: None,
        recollections: Recollections | None = None,
    ) -> None:
        self.denoise = denoise
        self.guidance_scale = guidance_scale
        self.prompt_guidance = prompt_guidance
        self.gate = gate
        self.encode_captions = encode_captions
        self.trace: list[Step] = []
        self._unconditional = unconditional
        self._prompt: list[Any] = [conditional.select([sample]) for sample in range(len(conditional))]
        self._caption = list(self._prompt)
        self._blend_threshold = blend_threshold
        self._fallbacks, self._most = fallbacks, round(10 * prompt_weight)
        self._searches: dict[int, Generator[Fallback | None, bool | None]] = {}
        self._left_for: list[Fallback | None] = [None] * len(conditional)
        self._encoded: dict[int, Conditioning] = {}
        self._if_no_way = if_no_way
        self._without_way: set[int] = set()
        self._begins_elsewhere = way > 0
        self._wording, self._recollections = wording, recollections
        self._begun: tuple[Tensor, Tensor, Tensor] | None = None
        self._to_pass_over = [max(way - 1, 0)] * len(conditional)

    @torch.no_grad()
    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoise x [batch, *latent_shape] at the noise levels sigma [batch]."""
        unconditional, conditional = self.predict(x, sigma)
        unconditional = self.prompt_guidance.unconditional(x, sigma, unconditional, conditional)
        return classifier_free(unconditional, conditional, self.guidance_scale)

    @torch.no_grad()
    def predict(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """The step's predictions without a prompt, and under the caption that each sample goes on under.

        For a sampler that puts the two together itself; it calls this in the place of the denoiser.
        """
        conditioning = type(self._unconditional).cat([self._unconditional, *self._caption])
        unconditional, conditional = predict_both(self.denoise, x, sigma, conditioning)
        if not self.trace:
            self._begun = x, sigma, unconditional
            self.gate.begin(conditional)
        levels, first = levels_of(sigma), not self.trace
        answers = []
        for sample, left in enumerate(self._left_for):
            told = conditional[sample], unconditional[sample], levels[sample]
            finish = (
                None if left else partial(self._finished, sample, self._prompt[sample], x, levels[sample])
            )
            answers.append(self.gate.ask(Question(sample, *told, finish, first)))
        given_up = self._without_way if self._if_no_way == UNGUIDED else ()
        leaves = first and self._begins_elsewhere
        open_for = [
            sample
            for sample, answer in enumerate(answers)
            if (answer.open or leaves) and sample not in given_up
        ]
        self._leave(open_for, x, sigma, unconditional, conditional)
        self._give_up(open_for, x, sigma, conditional)
        self.trace.append(
            Step(
                sigma=level_of(sigma),
                value=[answer.value for answer in answers],
                measure=[answer.measure for answer in answers],
                threshold=[answer.threshold for answer in answers],
                neighbour=[answer.position for answer in answers],
                acted=[left is not None for left in self._left_for],
                fallback=[self._item_of(left) for left in self._left_for],
                prompt_weight=[None if left is None else left[1] for left in self._left_for],
                caption=[self._wording_of(left) for left in self._left_for],
                no_way=[sample in self._without_way for sample in range(len(x))],
            )
        )
        return unconditional, conditional

    def _wording_of(self, left: Fallback | None) -> str | None:
        """The other wording of its prompt that a sample goes on under, if it does."""
        return None if left is None or left[0] is None else self._wording(left[0])

    def _item_of(self, left: Fallback | None) -> int | None:
        """The item whose caption a sample goes on under, if it does."""
        return None if left is None or self._wording_of(left) is not None else left[0]

    @torch.no_grad()
    def replayed(self, finished: Tensor) -> list[Answer | None]:
        """Of finished latents [batch, *latent_shape], how far they are what the model recalls; at the end.

        None of samples that have left their prompts, which were compared with that on their way. It takes
        some predictions from the noise of the first step.
        """
        if self._recollections is None or self._begun is None:
            return [None] * len(finished)
        x, sigma, unconditional = self._begun
        levels = levels_of(sigma)
        answers: list[Answer | None] = []
        for sample, left in enumerate(self._left_for):
            recall = partial(self._recalled, sample, x, sigma)
            told = finished[sample], unconditional[sample], levels[sample]
            begun = Question(sample, *told, first=True, recall=recall)
            answers.append(None if left else self._recollections.ask_finished(begun))
        return answers

    def _finished(self, sample: int, caption: Conditioning, x: Tensor, sigma: float) -> Tensor:
        """The finished latents [*latent_shape] of a sample of `x` under a caption, as they are foreseen."""
        return foreseen(lambda x, sigma: self.denoise(x, sigma, caption), x[[sample]], sigma)[0]

    def _recalled(self, sample: int, x: Tensor, sigma: Tensor, items: Sequence[int]) -> Tensor:
        """Predictions of a sample of `x` under the captions of items, [items, *latent_shape]."""
        captions = type(self._unconditional).cat([self._conditioning_of(item, sample) for item in items])
        repeated = [sample] * len(items)
        return self.denoise(x[repeated], sigma[repeated], captions)

    def _leave(
        self, open_for: list[int], x: Tensor, sigma: Tensor, unconditional: Tensor, conditional: Tensor
    ) -> None:
        """Put samples under other captions, and their predictions in the place of the conditional ones."""
        levels = levels_of(sigma)
        for sample in open_for:
            question = Question(
                sample, conditional[sample], unconditional[sample], levels[sample], first=not self.trace
            )
            if self._left_for[sample] != NOTHING and not self.gate.may_try(question):
                self._searches[sample] = search(tuple, 0)
            elif sample not in self._searches:
                most = self._most if self.gate.sees_blends(sample) else 0
                self._searches[sample] = search(partial(self._fallbacks, sample), most)
        shut: set[int] = set()
        still_open: dict[int, bool | None] = dict.fromkeys(open_for)
        while tried := {
            sample: fallback
            for sample, answer in still_open.items()
            if (fallback := self._next(sample, answer, shut)) is not None
        }:
            captions = {
                sample: self._prompt[sample].blended(self._conditioning_of(item, sample), weight)
                for sample, (item, weight) in tried.items()
            }
            for sample, (item, _) in tried.items():
                self.gate.watch(sample, item)
            samples = list(tried)
            together = type(self._unconditional).cat(list(captions.values()))
            predictions = self.denoise(x[samples], sigma[samples], together)
            still_open = {}
            for sample, prediction in zip(samples, predictions, strict=True):
                finish = partial(self._finished, sample, captions[sample], x, levels[sample])
                recall = partial(self._recalled, sample, x, sigma)
                told = prediction, unconditional[sample], levels[sample]
                answer = self.gate.ask(Question(sample, *told, finish, not self.trace, recall))
                share = 1.0 if tried[sample] == NOTHING else self._blend_threshold
                still_open[sample] = answer.value > answer.threshold * share
                if not still_open[sample]:
                    shut.add(sample)
                elif sample in shut:
                    continue
                self._caption[sample], self._left_for[sample] = captions[sample], tried[sample]
                conditional[sample] = prediction

    def _next(self, sample: int, answer: bool | None, shut: set[int]) -> Fallback | None:
        """What a sample tries next; None where it goes on as it is.

        Ways that are to be passed over are taken out of what is `shut`, as if the gate had opened again.
        """
        search = self._searches[sample]
        tried = search.send(answer)
        if tried is None and sample in shut and self._to_pass_over[sample]:
            self._to_pass_over[sample] -= 1
            shut.remove(sample)
            tried = search.send(None)
        return tried

    def _give_up(self, open_for: list[int], x: Tensor, sigma: Tensor, conditional: Tensor) -> None:
        """Note the samples for which every caption has failed; put them under their prompts if so wanted."""
        lost = [sample for sample in open_for if self._left_for[sample] == NOTHING]
        self._without_way.update(lost)
        if not lost or self._if_no_way != UNGUIDED:
            return
        for sample in lost:
            self._caption[sample], self._left_for[sample] = self._prompt[sample], None
        prompts = type(self._unconditional).cat([self._prompt[sample] for sample in lost])
        conditional[lost] = self.denoise(x[lost], sigma[lost], prompts)

    def _conditioning_of(self, item: int | None, sample: int) -> Conditioning:
        """That of an item's caption, encoded when it is first tried: weights of the prompt differ, not it."""
        if item is None:
            return self._unconditional.select([sample])
        if item not in self._encoded:
            self._encoded[item] = self.encode_captions([item])
        return self._encoded[item]
