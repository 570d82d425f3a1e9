"""When the attraction basin is taken to be left, and what guides until then."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from unheard.common.checks import require_at_least_zero, require_number
from unheard.errors import InputError


@dataclass(frozen=True)
class AttractionBasin:
    """No guidance, or opposite guidance, until the trajectory has left the basin of a memorised sound.

    Jain et al., CVPR 2025 (arXiv 2411.16738); see `unheard.guidance.attraction_basin.denoiser`.

    Attributes:
        early_scale: guidance scale until the basin is left; 0 for none, below 0 for opposite guidance.
        dynamic: whether the basin is left at the first local minimum of the prompt's pull, the norm of the
            difference between both predictions; otherwise only `latest` decides.
        latest: noise level sigma at which the basin is left at the latest; at least 0.

    Raises:
        InputError: `early_scale` above 1, `latest` below 0, or a value that is not a finite number.
    """

    kind: ClassVar[str] = "basin"
    needs_index: ClassVar[bool] = False
    uses_recordings: ClassVar[bool] = False
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

    def measure(self, recordings: bool) -> str | None:
        return None
