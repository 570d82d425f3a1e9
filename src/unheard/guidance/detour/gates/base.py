"""What a detour's gates are asked and answer, and what they need to know of a training set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from torch import Tensor

from unheard.diffusion.prediction import classifier_free

Finish = Callable[[], Tensor]
"""Gives a sample's finished latents [*latent_shape] under its caption, as they are foreseen; dear."""
Recall = Callable[[Sequence[int]], Tensor]
"""Gives a sample's predictions under the captions of items [items, *latent_shape]; one each."""


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


class Question(NamedTuple):
    """A sample in a step.

    Attributes:
        sample: its number in the batch.
        conditional, unconditional: its predictions under its caption and without one [*latent_shape].
        sigma: the noise level.
        finish: looks ahead from there; None where that tells nothing any more.
        first: whether it is the first step.
        recall: asks for further predictions of the same latents; None where nothing is tried.
    """

    sample: int
    conditional: Tensor
    unconditional: Tensor
    sigma: float
    finish: Finish | None = None
    first: bool = False
    recall: Recall | None = None

    def views(self, guidance_scale: float) -> list[Tensor]:
        """The prediction under the caption and the guided one, which the sound follows; one if they are one.

        A negative prompt takes away what recordings have in common, and leaves one of them.
        """
        if guidance_scale == 1.0:
            return [self.conditional]
        return [self.conditional, classifier_free(self.unconditional, self.conditional, guidance_scale)]


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

    def unless(self, other: Answer) -> Answer:
        """This one, unless another is open, or is more of the same measure."""
        more = other.measure == self.measure and other.value > self.value
        return other if other.open or more else self


class Gate(Protocol):
    """Asked about each sample in each step."""

    def begin(self, conditional: Tensor) -> None:
        """Told the first predictions of all samples [batch, *latent_shape], once."""

    def watch(self, sample: int, position: int | None) -> None:
        """Told the item under whose caption a sample may go on, None for no caption.

        What that leads to is not copied either.
        """

    def ask(self, question: Question) -> Answer:
        """How strongly a sample is a recording, by its predictions in a step."""
        ...

    def may_try(self, question: Question) -> bool:
        """Whether captions may be tried in a step: whether it can tell what they lead to."""
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

    def missing_around(self, sample: int, position: int | None) -> list[int]:
        """One item of each caption most like an item's, or a sample's prompt, whose recordings are missing.

        None for the prompt.
        """
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
