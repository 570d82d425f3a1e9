"""Kinds that ask the detour's gate: all go by the thresholds that a model has for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeGuard

from unheard.guidance.base import Guidance
from unheard.guidance.detour.settings import Detour
from unheard.guidance.gated_amg.settings import GatedAMG
from unheard.guidance.static_rewrite.settings import StaticRewrite

Gated = Detour | StaticRewrite | GatedAMG
THRESHOLDS = ("threshold", "pull", "high_noise", "settled_pull", "sure_threshold")
"""What says when the gate opens; the last two are the detour's alone."""
ASKED_INSTEAD = {"pull": "settled_pull", "threshold": "sure_threshold"}
"""By a threshold, the one that a calibrated detour goes by in its place."""


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


def laid_over(table: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The table of a guidance with settings that are given by hand, and so come first.

    What would be asked in the place of a threshold that is given is taken out, unless it is given as well.

    Args:
        table: as `unheard.guidance.describe_guidance` gives it, or part of one.
        given: settings by name.
    """
    instead = {ASKED_INSTEAD[name] for name in given if name in ASKED_INSTEAD}
    return {name: value for name, value in table.items() if name not in instead} | {**given}
