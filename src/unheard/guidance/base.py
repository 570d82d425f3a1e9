"""What all kinds of guidance share: what settings say of themselves, denoisers, what a step tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import Field, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

if TYPE_CHECKING:
    from torch import Tensor

WEIGHT_STEP = 1.5
"""By how much a weight grows from one attempt at a rejected sound to the next."""
THRESHOLD_STEP = 0.05
"""By how much a threshold falls, so that the guidance acts earlier."""

NEAREST = "cosine to the nearest training item"
"""The measure of every kind that embeds the prediction and searches the index."""


class Guidance(Protocol):
    """The settings of one kind, a frozen dataclass of numbers, flags and texts.

    Attributes:
        kind: its name in files and on the command line.
        needs_index: whether it cannot do without the training set.
        uses_recordings: whether it compares with the recordings of the training set where they are available.
        without_captions: what it cannot do near items without a caption, to go on after "no caption for 8 of
            its 9 items: "; None if it does not read them.
        saves_memory: what to lower if there is not enough memory, as in "--c3 to 0"; None if nothing would
            help.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    kind: ClassVar[str]
    uses_recordings: ClassVar[bool]

    @property
    def needs_index(self) -> bool: ...

    @property
    def without_captions(self) -> str | None: ...

    @property
    def saves_memory(self) -> str | None: ...

    def stronger(self, attempt: int) -> Self:
        """The same for an attempt at a sound that was rejected, 1 for the first after the first."""
        ...

    def measure(self, recordings: bool) -> str | None:
        """What the values of its trace measure, with recordings available or without; None without values."""
        ...


class GuidanceWarning(UserWarning):
    """The guidance runs, but not all of it can act."""


@dataclass(frozen=True)
class Step:
    """What happened in one denoising step; lists have one entry a sample, None where nothing is known.

    Attributes:
        sigma: noise level of the step.
        value: what the guidance measured.
        measure: what `value` is, in words, such as "cosine to the nearest training item".
        threshold: value above which the guidance acts.
        neighbour: position in the index of the training item that `value` speaks of.
        acted: whether the guidance acted.
        s1, s2: scales of despecification and deduplication at this similarity, applied where `acted`.
        fallback: position of the item whose caption took the place of the prompt's; None where none did.
        prompt_weight: what is left of the prompt in the conditioning, 0 to 1.
        caption: the text that took the place of the prompt's; None where none did, or an item's.
        no_way: whether every caption that was tried leads to a recording, in this step or an earlier one.
    """

    sigma: float
    value: Sequence[float | None] | None = None
    measure: list[str] | None = None
    threshold: list[float] | None = None
    neighbour: list[int | None] | None = None
    acted: list[bool] | None = None
    s1: Sequence[float | None] | None = None
    s2: Sequence[float | None] | None = None
    fallback: list[int | None] | None = None
    prompt_weight: list[float | None] | None = None
    caption: list[str | None] | None = None
    no_way: list[bool] | None = None


class Denoiser(Protocol):
    """A guidance around a model's denoiser, for one trajectory; the sampler never learns what is in it."""

    trace: list[Step]

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoise x [batch, *latent_shape] at the noise levels sigma [batch]."""
        ...
