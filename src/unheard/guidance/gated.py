"""Kinds that ask the detour's gate: all go by the thresholds that a model has for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeGuard

from unheard.guidance.base import Guidance
from unheard.guidance.detour.settings import Detour
from unheard.guidance.gated_amg.settings import GatedAMG
from unheard.guidance.static_rewrite.settings import StaticRewrite

Gated = Detour | StaticRewrite | GatedAMG
THRESHOLDS = ("threshold", "pull", "high_noise", "settled_pull", "sure_threshold")
"""What says when the gate opens; the last two are the detour's alone."""


def is_gated(guidance: Guidance | None) -> TypeGuard[Gated]:
    """Whether a guidance asks the detour's gate."""
    return isinstance(guidance, Gated)


def same_thresholds(guidance: Gated, detour: Detour) -> bool:
    """Whether a guidance has the thresholds of a detour."""
    return with_thresholds_of(guidance, detour) == guidance


def with_thresholds_of(guidance: Gated, detour: Detour) -> Gated:
    """The guidance with the thresholds of a detour."""
    known = [name for name in THRESHOLDS if hasattr(guidance, name)]
    return replace(guidance, **{name: getattr(detour, name) for name in known})
