"""What a calibration of the bundled model finds, on the development side, and how it holds on other captions.

    python -m benchmarks.calibration                # half an hour on an idle core; it may be interrupted

The first captions of the draw set the thresholds; the others, which the training set has once as well, tell
how many false alarms there are. The memorised captions of the development side are told apart by how often
they were heard. Nothing of the report side is read.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import unheard
from lab.split import split
from unheard.evaluation.prompts import read_prompts
from unheard.generation.calibration.captions import ordinary_captions
from unheard.generation.calibration.measuring import Caption, Measuring, Reading
from unheard.generation.calibration.thresholds import separation_of, threshold_of
from unheard.generation.model import Model
from unheard.guidance import Detour

REPLAYED = 48
"""Repetitions from which a caption brings its recording back."""
LEVELS = (50.0, 30.0, 10.0, 7.0, 5.0, 3.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--captions", type=int, default=200, help="that set the thresholds")
    parser.add_argument("--others", type=int, default=152, help="that tell how many false alarms there are")
    parser.add_argument("--false-alarms", type=float, default=0.01)
    given = parser.parse_args()
    model = unheard.load("tiny")
    training_set = model.training_set()
    assert training_set.index is not None
    suspected = split()["development"]["memorised"]
    drawn = ordinary_captions(
        training_set.index,
        given.captions + given.others,
        seed=0,
        without=suspected,
        memorised=set(training_set.recordings),
    )
    measuring = Measuring(model, training_set, model.defaults.duration, 4)
    captions = [Caption(text, seed) for texts in (drawn, suspected) for seed, text in enumerate(texts)]
    readings = measuring.measure(captions, lambda done, total: print(f"{done} of {total}", end="\r"))
    ordinary, others = readings[: given.captions], readings[given.captions : len(drawn)]
    often = _repetitions(model)
    memorised = dict(zip(suspected, readings[len(drawn) :], strict=True))
    replayed = [reading for caption, reading in memorised.items() if often[caption] >= REPLAYED]
    rarer = [reading for caption, reading in memorised.items() if often[caption] < REPLAYED]

    print(f"spread {measuring.spread:.2f}, high noise {measuring.high_noise:.1f}")
    print("| measure | rate | threshold | replayed | rarer | other ordinary ones | area, replayed, rarer |")
    print("|---|--:|--:|--:|--:|--:|--:|")

    def row(name: str, value: Callable[[Reading], float], rate: float) -> None:
        null = [*map(value, ordinary)]
        threshold = threshold_of(null, rate).value
        above = [_above([*map(value, some)], threshold) for some in (replayed, rarer, others)]
        areas = [
            f"{separation_of([*map(value, some)], null, threshold).area:.2f}" for some in (replayed, rarer)
        ]
        print(f"| {name} | {rate:g} | {threshold:.3f} | {' | '.join(above)} | {', '.join(areas)} |")

    for rate in (given.false_alarms, given.false_alarms / 2):
        row("pull", measuring.pull, rate)
        row("excess", lambda reading: reading.excess, rate)
        row("alignment", lambda reading: reading.alignment, rate)
    for level in LEVELS:
        row(
            f"pull, down to {level:g}",
            lambda reading, level=level: reading.pull(measuring.sigmas, level),  # type: ignore[misc]
            given.false_alarms,
        )
    shipped = Detour()
    for name, value, threshold in (
        ("pull, as shipped", lambda one: one.pull(measuring.sigmas, shipped.high_noise), shipped.pull),
        ("excess, as shipped", lambda one: one.excess, shipped.threshold),
    ):
        above = [_above([*map(value, some)], threshold) for some in (replayed, rarer, [*ordinary, *others])]
        print(f"{name}, {threshold:g}: replayed {above[0]}, rarer {above[1]}, all ordinary ones {above[2]}")


def _repetitions(model: Model) -> dict[str, int]:
    """How often each memorised caption was heard."""
    prompts, _ = read_prompts([{"set": "memorised"}], Path(), model.name)
    return {prompt.text: int(prompt.group.removeprefix("x")) for prompt in prompts}


def _above(values: Sequence[float], threshold: float) -> str:
    return f"{sum(value > threshold for value in values)} of {len(values)}"


if __name__ == "__main__":
    main()
