"""How often AMG's gate would decide otherwise if it was not asked in every step (`--ask-every`).

    OMP_NUM_THREADS=1 python benchmarks/asking.py --sounds 35

Sounds of `tiny`, ordinary and memorised captions by turns, under a gate that is asked in every step and
changes nothing (all weights 0). What a gate would have said that is asked less often is read from the trace.
On `tiny` nearly every step lies above the published thresholds, so they are raised as well: where the gate
opens and shuts again is where asking less often can be wrong.

Beside it stands how often an opening was seen coming: the cosine of the step before was less than `LIKELY`
below.
"""

from __future__ import annotations

import argparse
import json
from itertools import chain, pairwise
from pathlib import Path

import unheard
from unheard.guidance.amg.denoiser import LIKELY
from unheard.guidance.amg.settings import AMG

RAISED = (0.0, 0.1, 0.2, 0.25)
EVERY = (2, 4, 8)
MARGINS = (0.05, 0.1, 0.2)

Trace = list[tuple[float, float]]
"""Cosine and threshold of each step."""


def traces(sounds: int) -> list[Trace]:
    assets = Path(unheard.__file__).parent / "assets" / "tiny"
    ordinary = [each["caption"] for each in json.loads((assets / "prompts.json").read_text())["ordinary"]]
    memorised = [each["caption"] for each in json.loads((assets / "memorised.json").read_text())]
    prompts = list(chain.from_iterable(zip(ordinary, memorised, strict=False)))[:sounds]
    model, idle = unheard.load("tiny"), AMG(c1=0, c2=0, c3=0)
    found: list[Trace] = []
    for seed, prompt in enumerate(prompts):
        (sound,) = model.generate(prompt, seed=seed, guidance=idle)
        found.append([(step.value or 0.0, step.threshold or 0.0) for step in sound.trace])
    return found


def asked(trace: Trace, every: int, margin: float) -> list[bool]:
    """Which steps the gate is asked in, as `AMGDenoiser` does it."""
    last, told = float("-inf"), []
    for step, (cosine, threshold) in enumerate(trace):
        told.append(step % every == 0 or last > threshold - margin)
        last = cosine if told[-1] else last
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sounds", type=int, default=35)
    measured = traces(parser.parse_args().sounds)
    changes = sorted(abs(a - b) for trace in measured for (a, _), (b, _) in pairwise(trace))
    quantiles = {share: changes[int(share * (len(changes) - 1))] for share in (0.5, 0.9, 0.99, 1.0)}
    print(f"{len(measured)} sounds; change of the cosine from step to step:", end=" ")
    print(", ".join(f"{value:.3f} ({share:.0%})" for share, value in quantiles.items()), "\n")
    print("| thresholds | every | margin | asked | open | decides otherwise | openings seen coming |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for raised in RAISED:
        moved = [[(cosine, threshold + raised) for cosine, threshold in trace] for trace in measured]
        steps = [step for trace in moved for step in trace]
        opened = [
            before > threshold - LIKELY
            for trace in moved
            for (before, limit), (cosine, threshold) in pairwise(trace)
            if before <= limit and cosine > threshold
        ]
        for every in EVERY:
            for margin in MARGINS:
                told = [asked(trace, every, margin) for trace in moved]
                missed = sum(
                    cosine > threshold and not ask
                    for trace, answers in zip(moved, told, strict=True)
                    for (cosine, threshold), ask in zip(trace, answers, strict=True)
                )
                share = sum(map(sum, told)) / len(steps)
                above = sum(cosine > threshold for cosine, threshold in steps) / len(steps)
                print(
                    f"| +{raised:g} | {every} | {margin:g} | {share:.0%} | {above:.0%} "
                    f"| {missed} of {len(steps):,} | {sum(opened)} of {len(opened)} |"
                )


if __name__ == "__main__":
    main()
