"""A calibration that nobody measured."""

from __future__ import annotations

from unheard.generation.calibration.record import (
    AtDuration,
    Calibration,
    Proof,
    Separation,
    Statistic,
    Threshold,
)

MODEL, INDEX = "sha256:0123456789abcdef0123", "fedcba9876543210" * 4


def a_calibration(
    fingerprint: str | None = MODEL,
    index: str = INDEX,
    *,
    separates: bool | None = True,
    recordings: int = 60,
) -> Calibration:
    """At 1 and 4 s: pulls above .4 and .5, an excess above .2; alignments separate in any case."""

    def statistic(value: float, separates: bool | None) -> Statistic:
        threshold = Threshold(value, 0.01, "tail", value, None, 200, 2, 0.0, 0.036)
        told = None if separates is None else Separation(10, 8, 0.44, 0.97, 0.95, separates)
        return Statistic(threshold, (0.1, 0.2), () if separates is None else (0.9,), told)

    def at(duration: float, pull: float, high_noise: float) -> AtDuration:
        statistics = {
            "pull": statistic(pull, separates),
            "alignment": statistic(0.1, separates if separates is None else True),
            "excess": statistic(0.2, separates),
        }
        return AtDuration(duration, high_noise, 1.1, statistics)

    return Calibration(
        model="a model",
        fingerprint=fingerprint,
        index=index,
        items=2620,
        recordings=recordings,
        sampling={"sampler": "euler"},
        false_alarms=0.01,
        seed=0,
        ordinary=("A bell", "Strings"),
        suspected=() if separates is None else ("A loop",),
        replayed=(),
        durations=(at(1.0, 0.4, 7.0), at(4.0, 0.5, 9.0)),
        proof=(Proof("A loop", 0, "copy", "clear", "Strings", 0.2),),
        made={"seconds": 1.0, "pairs_of_predictions": 10},
    )
