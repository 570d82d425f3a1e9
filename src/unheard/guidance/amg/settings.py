"""Weights and thresholds of the published anti-memorization guidance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, get_args

from unheard.common.checks import require_at_least_zero, require_one_of, require_rising, require_whole
from unheard.guidance.base import NEAREST, THRESHOLD_STEP, WEIGHT_STEP

DissimilaritySpace = Literal["denoised", "noise"]
DISSIMILARITY_SPACES: tuple[DissimilaritySpace, ...] = get_args(DissimilaritySpace)


@dataclass(frozen=True)
class AMG:
    """Weights and thresholds of anti-memorization guidance (Messina et al. 2025, arXiv 2509.14934).

    Attributes:
        c1: weight of despecification, at least 0; 0 turns it off.
        c2: weight of caption deduplication, at least 0; 0 turns it off and saves the neighbour's prediction.
        c3: weight of dissimilarity, at least 0; 0 turns it off and saves the gradient.
        lambda_min: cosine to the nearest training item above which the guidance acts when all is noise.
        lambda_max: that cosine when no noise is left; not below `lambda_min`, and equal to it for a constant
            threshold.
        dissimilarity_space: how the gradient of `c3` is weighed: "denoised" as in the published code, "noise"
            as in the paper (see `unheard.guidance.amg.equations.dissimilarity_weight`).
        ask_every: steps from one question to the gate to the next, at least 1; 1 asks in every step.
        ask_margin: how far below the threshold a cosine must lie to be asked for so seldom, at least 0.
        window: seconds from the beginning that are decoded and compared, at least 0; 0 compares the whole
            sound. As long as the training recordings it suffices, since what is replayed begins with them.
        checkpoint: whether a gradient is made in pieces, each decoded again on the way back: memory for
            a few seconds of sound, and one more decoding.
        gate_head: whether a small network tells from latents where the gate stays shut, so that nothing is
            decoded there; made by `unheard train-gate`.

    Raises:
        InputError: a weight below 0, a value that is not a finite number, `lambda_min` above `lambda_max`, or
            an unknown space.
    """

    kind: ClassVar[str] = "amg"
    needs_index: ClassVar[bool] = True
    uses_recordings: ClassVar[bool] = False

    c1: float = 4.0
    c2: float = 3.0
    c3: float = 100.0
    lambda_min: float = 0.7
    lambda_max: float = 0.8
    dissimilarity_space: DissimilaritySpace = "denoised"
    ask_every: int = 1
    ask_margin: float = 0.2
    window: float = 0.0
    checkpoint: bool = False
    gate_head: bool = False

    def __post_init__(self) -> None:
        for name in ("c1", "c2", "c3"):
            require_at_least_zero(name, getattr(self, name))
        require_rising("lambda_min", self.lambda_min, "lambda_max", self.lambda_max)
        require_whole("ask_every", self.ask_every, 1)
        require_at_least_zero("ask_margin", self.ask_margin)
        require_at_least_zero("window", self.window)
        require_one_of("dissimilarity_space", self.dissimilarity_space, DISSIMILARITY_SPACES)

    @property
    def without_captions(self) -> str | None:
        return (
            "near those, caption deduplication (c2) has nothing to steer away from" if self.c2 > 0 else None
        )

    @property
    def saves_memory(self) -> str | None:
        if self.c3 == 0:
            return None
        pieces = "" if self.checkpoint else ", or make it in pieces (--checkpoint)"
        return f"--c3 to 0 (the guidance then needs no gradient){pieces}"

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

    def measure(self, recordings: bool) -> str | None:
        return NEAREST
