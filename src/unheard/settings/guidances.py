"""The kinds of guidance, each with its weights and thresholds; `unheard.guidance` has a file for each.

A kind is a frozen dataclass that says of itself what it needs, and how it is made stronger when a sound
was rejected. `GUIDANCES` has them by name.
"""

from __future__ import annotations

from dataclasses import Field, dataclass, replace
from typing import Any, ClassVar, Protocol, Self

from unheard.errors import InputError
from unheard.settings.checks import (
    require_above_zero,
    require_at_least_zero,
    require_between,
    require_number,
    require_one_of,
    require_whole,
)

DISSIMILARITY_SPACES = ("denoised", "noise")

WEIGHT_STEP = 1.5
"""By how much a weight grows from one attempt at a rejected sound to the next."""
THRESHOLD_STEP = 0.05
"""By how much a threshold falls, so that the guidance acts earlier."""

NEAREST = "cosine to the nearest training item"


class Guidance(Protocol):
    """What every kind says of itself.

    Attributes:
        kind: its name in files and on the command line.
        needs_index: whether it cannot do without the training set.
        without_captions: what it cannot do near items without a caption, to go on after "have no caption: ";
            None if it does not read them.
        saves_memory: what to lower if there is not enough memory, as in "--c3 to 0"; None if nothing would
            help.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    kind: ClassVar[str]
    needs_index: ClassVar[bool]

    @property
    def without_captions(self) -> str | None: ...

    @property
    def saves_memory(self) -> str | None: ...

    def stronger(self, attempt: int) -> Self:
        """The same for an attempt at a sound that was rejected, 1 for the first after the first."""
        ...

    def hears(self, recordings: bool) -> str | None:
        """What its trace has as `similarity`, with recordings at hand or without; None where it has none."""
        ...


@dataclass(frozen=True)
class AMG:
    """Weights and thresholds of anti-memorization guidance (Messina et al. 2025, arXiv 2509.14934).

    Attributes:
        c1: weight of despecification, at least 0; 0 turns the term off.
        c2: weight of caption deduplication, at least 0; 0 turns the term off and saves the neighbour's
            prediction.
        c3: weight of dissimilarity, at least 0; 0 turns the term off and saves the gradient.
        lambda_min: similarity above which the guidance acts when all is noise (sigma to infinity); a cosine.
        lambda_max: the same when there is no noise left (sigma 0); not below `lambda_min`, and equal to it
            for a constant threshold.
        dissimilarity_space: "denoised" as the published code weighs the gradient, "noise" as the paper writes
            it (see `unheard.amg.dissimilarity_weight`).

    Raises:
        InputError: a weight below 0, a value that is not a finite number, `lambda_min` above `lambda_max`, or
            an unknown space.
    """

    kind: ClassVar[str] = "amg"
    needs_index: ClassVar[bool] = True

    c1: float = 4.0
    c2: float = 3.0
    c3: float = 100.0
    lambda_min: float = 0.7
    lambda_max: float = 0.8
    dissimilarity_space: str = "denoised"

    def __post_init__(self) -> None:
        for name in ("c1", "c2", "c3"):
            require_at_least_zero(name, getattr(self, name))
        _require_rising(self.lambda_min, self.lambda_max)
        require_one_of("dissimilarity_space", self.dissimilarity_space, DISSIMILARITY_SPACES)

    @property
    def without_captions(self) -> str | None:
        return (
            "near those, caption deduplication (c2) has nothing to steer away from" if self.c2 > 0 else None
        )

    @property
    def saves_memory(self) -> str | None:
        return "--c3 to 0 (the guidance then needs no gradient)" if self.c3 > 0 else None

    def stronger(self, attempt: int) -> AMG:
        """Weights times `WEIGHT_STEP ** attempt`, thresholds less `THRESHOLD_STEP * attempt`."""
        growth, lower = WEIGHT_STEP**attempt, THRESHOLD_STEP * attempt
        return replace(
            self,
            c1=self.c1 * growth,
            c2=self.c2 * growth,
            c3=self.c3 * growth,
            lambda_min=self.lambda_min - lower,
            lambda_max=self.lambda_max - lower,
        )

    def hears(self, recordings: bool) -> str | None:
        return NEAREST


@dataclass(frozen=True)
class AttractionBasin:
    """No guidance, or opposite guidance, until the trajectory has left the basin of a memorised sound.

    Jain et al., CVPR 2025 (arXiv 2411.16738); see `unheard.guidance.attraction_basin`.

    Attributes:
        early_scale: guidance scale until the transition; 0 for none, below 0 for opposite guidance.
        dynamic: whether the transition is the first local minimum of the norm of the difference between the
            conditional and the unconditional prediction; otherwise only `latest` decides.
        latest: noise level sigma at which the transition comes at the latest; at least 0.

    Raises:
        InputError: `early_scale` above 1, `latest` below 0, or a value that is not a finite number.
    """

    kind: ClassVar[str] = "basin"
    needs_index: ClassVar[bool] = False
    without_captions: ClassVar[str | None] = None
    saves_memory: ClassVar[str | None] = None

    early_scale: float = 0.0
    dynamic: bool = True
    latest: float = 1.0

    def __post_init__(self) -> None:
        require_number("early_scale", self.early_scale)
        if self.early_scale > 1:
            raise InputError(f"early_scale is {self.early_scale}: give 0 for none, below 0 for opposite")
        if not isinstance(self.dynamic, bool):
            raise InputError(f"dynamic is {self.dynamic!r}: give true or false")
        require_at_least_zero("latest", self.latest)

    def stronger(self, attempt: int) -> AttractionBasin:
        """One more scale of opposite guidance an attempt."""
        return replace(self, early_scale=self.early_scale - attempt)

    def hears(self, recordings: bool) -> str | None:
        return None


@dataclass(frozen=True)
class Detour:
    """Where the sound on its way is a training recording, its caption is left for a neighbouring one.

    No gradient, no decoding in the loop; see `unheard.guidance.detour`.

    Attributes:
        threshold: above which the caption is left, 0 to 1: by how much more the latents correlate with one
            recording than is common, see `unheard.guidance.gates.LatentGate`.
        pull: above which it is left where no recordings are at hand, at least 0: how far the prompt pulls the
            latents in high noise, see `unheard.guidance.gates.PullGate`.
        prompt_share: largest share of the prompt's conditioning that is blended with the other caption's,
            in tenths, 0 to 0.9.
        candidates: training items that a sound is compared with, at least 1.

    Raises:
        InputError: a value outside these ranges.
    """

    kind: ClassVar[str] = "detour"
    needs_index: ClassVar[bool] = True
    without_captions: ClassVar[str | None] = "a detour cannot go on under those"
    saves_memory: ClassVar[str | None] = None

    threshold: float = 0.3
    pull: float = 0.54
    prompt_share: float = 0.5
    candidates: int = 64

    def __post_init__(self) -> None:
        require_between("threshold", self.threshold, 0.0, 1.0)
        require_at_least_zero("pull", self.pull)
        require_between("prompt_share", self.prompt_share, 0.0, 0.9)
        require_whole("candidates", self.candidates, 1)

    def stronger(self, attempt: int) -> Detour:
        """Both thresholds less `THRESHOLD_STEP * attempt`, 0 at the least, and nothing kept of the prompt."""
        lower = THRESHOLD_STEP * attempt
        return replace(
            self,
            threshold=max(self.threshold - lower, 0.0),
            pull=max(self.pull - lower, 0.0),
            prompt_share=0.0 if attempt else self.prompt_share,
        )

    def hears(self, recordings: bool) -> str | None:
        if recordings:
            return "excess correlation with one recording"
        return "the prompt's pull, in high noise"


@dataclass(frozen=True)
class PromptAdjustment:
    """The prompt's embedding is moved until its pull at the first step is no more than a prompt's should be.

    Wen et al., ICLR 2024 (arXiv 2407.21720); see `unheard.guidance.prompt_adjustment`.

    Attributes:
        target: magnitude of the difference between conditional and unconditional prediction that is left
            alone, see `unheard.guidance.prompt_adjustment.magnitude`; above 0, and as large as ordinary
            prompts of the model have it.
        rate: how far an update moves every number of the embedding, above 0.
        updates: how many there are at most, at least 1.

    Raises:
        InputError: a value outside these ranges.
    """

    kind: ClassVar[str] = "prompt-adjustment"
    needs_index: ClassVar[bool] = False
    without_captions: ClassVar[str | None] = None
    saves_memory: ClassVar[str | None] = None

    target: float = 0.3
    rate: float = 0.05
    updates: int = 10

    def __post_init__(self) -> None:
        require_above_zero("target", self.target)
        require_above_zero("rate", self.rate)
        require_whole("updates", self.updates, 1)

    def stronger(self, attempt: int) -> PromptAdjustment:
        """The target by `WEIGHT_STEP ** attempt` lower."""
        return replace(self, target=self.target / WEIGHT_STEP**attempt)

    def hears(self, recordings: bool) -> str | None:
        return "magnitude of the prompt's pull"


@dataclass(frozen=True)
class Volumetric:
    """Repulsion from the volume that the nearest training items span.

    See `unheard.guidance.volumetric`, which has the formula.

    Attributes:
        weight: of the gradient, at least 0; in the measure of AMG's `c3`.
        neighbours: items that span the volume, at least 1.
        lambda_min: similarity to the nearest item above which the guidance acts when all is noise.
        lambda_max: the same when there is no noise left; not below `lambda_min`.
        pass_band: share of the gradient's frequencies along time that is kept, above 0 to 1.

    Raises:
        InputError: a value outside these ranges.
    """

    kind: ClassVar[str] = "volumetric"
    needs_index: ClassVar[bool] = True
    without_captions: ClassVar[str | None] = None
    saves_memory: ClassVar[str | None] = None

    weight: float = 100.0
    neighbours: int = 8
    lambda_min: float = 0.7
    lambda_max: float = 0.8
    pass_band: float = 0.25

    def __post_init__(self) -> None:
        require_at_least_zero("weight", self.weight)
        require_whole("neighbours", self.neighbours, 1)
        _require_rising(self.lambda_min, self.lambda_max)
        require_above_zero("pass_band", self.pass_band)
        require_between("pass_band", self.pass_band, 0.0, 1.0)

    def stronger(self, attempt: int) -> Volumetric:
        """The weight times `WEIGHT_STEP ** attempt`, thresholds less `THRESHOLD_STEP * attempt`."""
        lower = THRESHOLD_STEP * attempt
        return replace(
            self,
            weight=self.weight * WEIGHT_STEP**attempt,
            lambda_min=self.lambda_min - lower,
            lambda_max=self.lambda_max - lower,
        )

    def hears(self, recordings: bool) -> str | None:
        return NEAREST


def _require_rising(lambda_min: float, lambda_max: float) -> None:
    require_number("lambda_min", lambda_min)
    require_number("lambda_max", lambda_max)
    if lambda_min > lambda_max:
        raise InputError(
            f"lambda_min ({lambda_min}) is above lambda_max ({lambda_max}): "
            "the threshold rises from lambda_min to lambda_max, so swap or equalise them"
        )


GUIDANCES: dict[str, type[Guidance]] = {
    made_of.kind: made_of for made_of in (AMG, Detour, AttractionBasin, PromptAdjustment, Volumetric)
}
