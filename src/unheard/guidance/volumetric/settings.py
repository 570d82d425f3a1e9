"""Weight, neighbours and thresholds of volumetric repulsion."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from unheard.common.checks import (
    require_above_zero,
    require_at_least_zero,
    require_between,
    require_rising,
    require_whole,
)
from unheard.guidance.base import NEAREST, THRESHOLD_STEP, WEIGHT_STEP


@dataclass(frozen=True)
class Volumetric:
    """Repulsion from the volume that the nearest training items span.

    See `unheard.guidance.volumetric.denoiser`, which has the formula.

    Attributes:
        weight: weight of the repulsion's gradient, at least 0; in the measure of AMG's `c3`.
        neighbours: nearest training items that span the volume, at least 1.
        lambda_min: cosine to the nearest training item above which the guidance acts when all is noise.
        lambda_max: that cosine when no noise is left; not below `lambda_min`.
        pass_band: share of the gradient's frequencies along time that is kept, above 0 to 1.

    Raises:
        InputError: a value outside these ranges.
    """

    kind: ClassVar[str] = "volumetric"
    needs_index: ClassVar[bool] = True
    uses_recordings: ClassVar[bool] = False
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
        require_rising("lambda_min", self.lambda_min, "lambda_max", self.lambda_max)
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

    def measure(self, recordings: bool) -> str | None:
        return NEAREST
