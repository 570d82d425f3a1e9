"""What a sound's maker is told where thresholds are missing, or tell nothing."""

from __future__ import annotations

from collections.abc import Sequence

from unheard.generation.calibration.record import CAPTIONS
from unheard.generation.training_set import TrainingSet
from unheard.guidance.base import Guidance
from unheard.guidance.detour.settings import HIGH_NOISE, Detour
from unheard.guidance.gated import is_gated

NOT_SEPARATE = (
    "the suspected captions of the calibration do not separate from ordinary ones here: the detour would not "
    "notice them, audit what is made (--reject copy)"
)


def is_published(guidance: Guidance) -> bool:
    """Whether it asks the detour's gate with the thresholds of `tiny`."""
    published = Detour()
    return is_gated(guidance) and (guidance.threshold, guidance.pull) == (published.threshold, published.pull)


def to_calibrate(model: str, training_set: TrainingSet, sigmas: Sequence[float]) -> str:
    """How to calibrate a model on a training set, and what that takes.

    Args:
        model: its name.
        training_set: has an index.
        sigmas: noise levels of the steps of a sound.
    """
    index = training_set.index
    named = "" if index is None or index.path is None or training_set.own else f" --index {index.path}"
    steps = len(sigmas) if training_set.recordings else sum(sigma >= HIGH_NOISE for sigma in sigmas)
    sounds = max(round(CAPTIONS * steps / len(sigmas)), 1)
    return (
        f"the detour's thresholds are those of tiny and tell little of {model}: `unheard calibrate --model "
        f"{model}{named}` finds its own, in the time of about {sounds} sounds"
    )
