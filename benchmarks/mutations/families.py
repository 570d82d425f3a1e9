"""Every family, by name."""

from __future__ import annotations

from benchmarks.mutations import given, models, ours
from benchmarks.mutations.family import Family

FAMILIES: dict[str, Family] = {**given.FAMILIES, **models.FAMILIES, **ours.FAMILIES}
