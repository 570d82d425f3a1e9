"""Kinds that ask the detour's gate: all go by the thresholds that a model has for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeGuard

from unheard.guidance.base import Guidance
from unheard.guidance.detour.settings import Detour
from unheard.guidance.gated_amg.settings import GatedAMG
from unheard.guidance.static_rewrite.settings import StaticRewrite

Gated = Detour | StaticRewrite | GatedAMG


def is_gated(guidance: Guidance | None) -> TypeGuard[Gated]:
    """Whether a guidance asks the detour's gate."""
    return isinstance(guidance, Gated)


def same_thresholds(one: Gated, other: Gated) -> bool:
    """Whether the gate opens alike."""
    return _thresholds(one) == _thresholds(other)


def with_thresholds_of(guidance: Gated, detour: Detour) -> Gated:
    """The guidance with the thresholds of a detour."""
    threshold, pull, high_noise = _thresholds(detour)
    return replace(guidance, threshold=threshold, pull=pull, high_noise=high_noise)


def _thresholds(guidance: Gated) -> tuple[float, float, float]:
    return guidance.threshold, guidance.pull, guidance.high_noise
