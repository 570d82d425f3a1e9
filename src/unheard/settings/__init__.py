"""What a user can set: the kinds of guidance with their weights and thresholds, the sampler's schedule.

No torch in here.

guidances    the kinds of guidance, each a frozen dataclass, and `GUIDANCES` by name
reading      a guidance from a table of JSON or TOML, and back
sampling     sampler, steps, noise levels, guidance scale
checks       what a value may be
"""

from __future__ import annotations

from unheard.settings.guidances import (
    AMG,
    DISSIMILARITY_SPACES,
    GUIDANCES,
    AttractionBasin,
    Detour,
    Guidance,
    PromptAdjustment,
    Volumetric,
)
from unheard.settings.reading import describe_guidance, read_guidance
from unheard.settings.sampling import SAMPLERS, Sampling

__all__ = [
    "AMG",
    "DISSIMILARITY_SPACES",
    "GUIDANCES",
    "SAMPLERS",
    "AttractionBasin",
    "Detour",
    "Guidance",
    "PromptAdjustment",
    "Sampling",
    "Volumetric",
    "describe_guidance",
    "read_guidance",
]
