"""How often AMG's gate would decide otherwise if its exact cosine was not asked for in every step.

    OMP_NUM_THREADS=1 python benchmarks/asking.py --sounds 35
    OMP_NUM_THREADS=1 python benchmarks/asking.py --sounds 100 --gate-head head.safetensors

Sounds of `tiny` under a gate that is asked in every step and changes nothing (all weights 0). What a gate
would have said that is asked less often (`--ask-every`), or after a gate head (`--gate-head`), is read from
the trace. On `tiny` nearly every step lies above the published thresholds, so they are raised as well: where
the gate opens and shuts again is where asking less often can be wrong.

Captions are ordinary and memorised ones by turns. For a head they are those alone that neither its training
nor its margin saw, and further ones of the training set, as many as are asked for. A gate that was near at
the step before asks no head, as in `AMGDenoiser`: it makes its graph at once.

Beside the first table stands how often an opening was seen coming: the cosine of the step before was less
than `LIKELY` below.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, pairwise, zip_longest
from pathlib import Path

import torch
from torch import Tensor

import unheard
from unheard.backbones.base import by_frame
from unheard.common.intervals import clopper_pearson
from unheard.generation.calibration.captions import ordinary_captions
from unheard.generation.gate_heads.training import captions_by_part
from unheard.generation.model import Model
from unheard.guidance.amg.denoiser import LIKELY
from unheard.guidance.amg.gate_head import Fit, GateHead, read
from unheard.guidance.amg.settings import AMG
from unheard.index import Index
from unheard.index.searching.captions import normalised

RAISED = (0.0, 0.1, 0.2, 0.25)
EVERY = (2, 4, 8)
MARGINS = (0.05, 0.1, 0.2)
UNSEEN = "test"
"""The part of a head's captions that it was neither trained nor set on."""


@dataclass(frozen=True)
class Moment:
    """A step: its cosine and threshold, and the decoded prediction [features, frames]."""

    cosine: float
    threshold: float
    latents: Tensor

    @property
    def above(self) -> bool:
        return self.cosine > self.threshold


Trace = list[Moment]


def alternating() -> list[str]:
    """The bundled model's ordinary and memorised captions by turns."""
    assets = Path(unheard.__file__).parent / "assets" / "tiny"
    ordinary = [each["caption"] for each in json.loads((assets / "prompts.json").read_text())["ordinary"]]
    memorised = [each["caption"] for each in json.loads((assets / "memorised.json").read_text())]
    pairs = zip_longest(ordinary, memorised)
    return [caption for caption in chain.from_iterable(pairs) if caption is not None]


def not_seen(index: Index, sounds: int, seed: int) -> list[str]:
    """Captions that say nothing of a head's making, those of `alternating` first."""
    seen = {normalised(text) for text, part in captions_by_part(index, sounds, seed) if part != UNSEEN}
    further = ordinary_captions(index, len(index.prompts), seed=seed + 1)
    return [text for text in dict.fromkeys([*alternating(), *further]) if normalised(text) not in seen]


def traces(model: Model, prompts: list[str], told: str) -> list[Trace]:
    """A trajectory of each prompt."""
    idle, decode, found = AMG(c1=0, c2=0, c3=0), model.backbone.decode, []
    decoded: list[Tensor] = []

    def noting(latents: Tensor) -> Tensor:
        decoded.append(by_frame(latents[0], model.backbone.time_axis).clone())
        return decode(latents)

    model.backbone.decode = noting  # type: ignore[method-assign]
    for seed, prompt in enumerate(prompts):
        decoded.clear()
        (sound,) = model.generate(prompt, seed=seed, guidance=idle)
        found.append(
            [
                Moment(step.value or 0.0, step.threshold or 0.0, latents)
                for step, latents in zip(sound.trace, decoded, strict=False)  # the last is the sound itself
            ]
        )
        print(f"{told}: {seed + 1} of {len(prompts)}", end="\r", file=sys.stderr, flush=True)
    return found


def raised(measured: list[Trace], by: float) -> list[Trace]:
    """The traces under thresholds that are higher by so much."""
    return [[replace(step, threshold=step.threshold + by) for step in trace] for trace in measured]


def asked(trace: Trace, every: int, margin: float) -> list[bool]:
    """Which steps the gate is asked in, as `AMGDenoiser` does it."""
    last, told = float("-inf"), []
    for step, moment in enumerate(trace):
        told.append(step % every == 0 or last > moment.threshold - margin)
        last = moment.cosine if told[-1] else last
    return told


def asked_after(foreseen: list[float], trace: Trace, margin: float) -> list[bool]:
    """Which steps the gate is asked in where a head does not see it shut, as `AMGDenoiser` does it."""
    last, told = float("-inf"), []
    for seen, moment in zip(foreseen, trace, strict=True):
        near = last > moment.threshold - LIKELY
        told.append(near or seen + margin > moment.threshold)
        last = moment.cosine if told[-1] else seen
    return told


def share(values: Iterator[bool] | list[bool]) -> float:
    return statistics.fmean(map(float, values))


def missed(trace: Trace, told: list[bool]) -> int:
    """In how many steps a gate that was not asked would have opened."""
    return sum(moment.above and not ask for moment, ask in zip(trace, told, strict=True))


def table_of_asking_seldom(measured: list[Trace]) -> Iterator[str]:
    changes = sorted(abs(a.cosine - b.cosine) for trace in measured for a, b in pairwise(trace))
    quantiles = {part: changes[int(part * (len(changes) - 1))] for part in (0.5, 0.9, 0.99, 1.0)}
    told = ", ".join(f"{value:.3f} ({part:.0%})" for part, value in quantiles.items())
    yield f"{len(measured)} sounds; change of the cosine from step to step: {told}\n"
    yield "| thresholds | every | margin | asked | open | decides otherwise | openings seen coming |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for by in RAISED:
        moved = raised(measured, by)
        steps = [*chain.from_iterable(moved)]
        above = share([step.above for step in steps])
        opened = [
            before.cosine > after.threshold - LIKELY
            for trace in moved
            for before, after in pairwise(trace)
            if not before.above and after.above
        ]
        for every in EVERY:
            for margin in MARGINS:
                answers = [asked(trace, every, margin) for trace in moved]
                wrong = sum(map(missed, moved, answers))
                yield (
                    f"| +{by:g} | {every} | {margin:g} | {share(chain.from_iterable(answers)):.0%} "
                    f"| {above:.0%} | {wrong} of {len(steps):,} | {sum(opened)} of {len(opened)} |"
                )


@torch.no_grad()
def table_of_a_head(measured: list[Trace], head: GateHead, fit: Fit, index: Index) -> Iterator[str]:
    foreseen = [
        index.search(head(torch.stack([step.latents for step in trace])))[0][:, 0].tolist()
        for trace in measured
    ]
    pairs = [zip(trace, seen, strict=True) for trace, seen in zip(measured, foreseen, strict=True)]
    errors = sorted(step.cosine - seen for step, seen in chain.from_iterable(pairs))
    beyond = sum(error > fit.margin for error in errors)
    yield (
        f"\na head of {fit.trained:,} predictions, margin {fit.margin:.3f} of {fit.calibrated:,} others; "
        f"exact cosine less the foreseen one: mean {statistics.fmean(errors):.3f}, "
        f"deviation {statistics.pstdev(errors):.3f}, 99 % {errors[int(0.99 * (len(errors) - 1))]:.3f}, "
        f"at most {errors[-1]:.3f}; beyond the margin {beyond} of {len(errors):,}\n"
    )
    yield "| thresholds | open | without decoding | decides otherwise | at most (95 %) | sounds with one |"
    yield "|---|--:|--:|--:|--:|--:|"
    for by in RAISED:
        moved = raised(measured, by)
        answers = [asked_after(seen, trace, fit.margin) for seen, trace in zip(foreseen, moved, strict=True)]
        wrong = [*map(missed, moved, answers)]
        _, high = clopper_pearson(sum(wrong), len(errors))
        spared = 1 - share(chain.from_iterable(answers))
        above = share(step.above for step in chain.from_iterable(moved))
        yield (
            f"| +{by:g} | {above:.1%} | {spared:.1%} | {sum(wrong)} of {len(errors):,} "
            f"| {high:.2%} | {sum(map(bool, wrong))} of {len(wrong)} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sounds", type=int, default=35)
    parser.add_argument("--gate-head", type=Path, metavar="FILE", help="that `unheard train-gate` made")
    parser.add_argument("--head-sounds", type=int, default=300, help="its --sounds")
    parser.add_argument("--head-seed", type=int, default=0, help="its --seed")
    arguments = parser.parse_args()
    model = unheard.load("tiny")
    index = model.index
    assert index is not None
    if arguments.gate_head is None:
        prompts = alternating()
    else:
        prompts = not_seen(index, arguments.head_sounds, arguments.head_seed)
    measured = traces(model, prompts[: arguments.sounds], "trajectories")
    print(*table_of_asking_seldom(measured), sep="\n")
    if arguments.gate_head is not None:  # read so late, since it may be trained meanwhile
        head, fit = read(arguments.gate_head, torch.device("cpu"))
        print(*table_of_a_head(measured, head, fit, index), sep="\n")


if __name__ == "__main__":
    main()
