"""`unheard calibrate`: the detour's thresholds for a model and a training set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unheard.cli.interruption import saves_what_is_finished
from unheard.cli.options import (
    OF_MODEL,
    environment,
    loading_options,
    model_option,
    overwrite_option,
    quiet_option,
)
from unheard.cli.progress import Display
from unheard.cli.prompts import read_prompts
from unheard.cli.targets import Target, check_targets, inputs, inputs_of_model
from unheard.cli.terminal import say
from unheard.common.files import check_data_folder
from unheard.common.imports import importing
from unheard.common.texts import plural
from unheard.generation.calibration.record import (
    ALIGNMENT,
    CAPTIONS,
    EXCESS,
    KEPT_IN,
    OF_GATES,
    PULL,
    SETTLED_PULL,
)
from unheard.guidance.detour.settings import Detour

if TYPE_CHECKING:
    from unheard.generation.calibration.record import AtDuration, Calibration, Statistic

CALLED = {PULL: "pull", SETTLED_PULL: "settled pull", ALIGNMENT: "alignment", EXCESS: "excess"}
HARDEST = 5
"""Ordinary captions that are named because they pull hardest."""


@click.command()
@model_option()
@click.option(
    "--index", metavar="PATH", **environment("INDEX"), help=f"Training set to stay away from.{OF_MODEL}"
)
@click.option("--references", metavar="PATH", help="Its recordings.  [default: where the index says]")
@click.option("--captions", metavar="FILE", help="Suspected ones, one a line.  [default: repeated ones]")
@click.option("--prompts", metavar="FILE", help="Further ordinary prompts, one a line.")
@click.option(
    "--count", type=int, default=CAPTIONS, show_default=True, metavar="N", help="Ordinary captions."
)
@click.option(
    "--false-alarms",
    type=float,
    default=0.01,
    show_default=True,
    metavar="SHARE",
    help="Share of ordinary captions that may open the gate.",
)
@click.option(
    "--duration",
    "durations",
    type=float,
    multiple=True,
    metavar="S",
    help=f"Seconds, once or more.{OF_MODEL}",
)
@click.option(
    "--sounds",
    type=int,
    default=8,
    show_default=True,
    metavar="N",
    help="Suspected captions that are made into audited sounds, where recordings are available.",
)
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Of captions and noise.")
@click.option("--batch", type=int, metavar="N", help="Captions at once.  [default: 4]")
@loading_options
@click.option("-o", "--output", metavar="FILE", help="JSON to write.  [default: where `generate` looks]")
@overwrite_option()
@quiet_option()
def calibrate(
    model: str,
    index: str | None,
    references: str | None,
    captions: str | None,
    prompts: str | None,
    count: int,
    false_alarms: float,
    durations: tuple[float, ...],
    sounds: int,
    seed: int,
    batch: int | None,
    lora: tuple[tuple[str, float], ...] | None,
    text_encoder: str | None,
    embedder: str | None,
    device: str,
    dtype: str | None,
    output: str | None,
    overwrite: bool,
) -> None:
    """Find the detour's thresholds for a model and a training set.

    Measures captions that the training set has once, and sets thresholds that so few of them exceed. Then
    `generate` takes the detour with these thresholds for this model and index, and says so. Suspected
    captions show whether memorised ones stand out at all.

    What is measured is cached: it can be interrupted, and run again with more captions or another
    --false-alarms.

    \b
    Examples:
      unheard calibrate --model ./my-model --index my-index
      unheard calibrate --model ./my-model --index my-index --captions suspected.txt --prompts usual.txt
      unheard calibrate --model ./my-model --index my-index --output my-model/calibration.json
    """
    suspected = None if captions is None else read_prompts(captions)
    further = [] if prompts is None else read_prompts(prompts)
    if output is not None:
        read = [
            *inputs([captions, prompts], "a list of captions"),
            *inputs([references], "a recording"),
            *inputs_of_model(model, index, lora, text_encoder, embedder),
        ]
        check_targets([Target(Path(output))], read, overwrite=overwrite)
    else:
        check_data_folder(KEPT_IN, "a calibration")
    display = Display()
    with display.loading(model):
        with importing():
            from unheard.generation.calibration import calibrating
            from unheard.generation.model import load
        changed: dict[str, Any] = {"lora": lora, "text_encoder": text_encoder}
        changed = {name: value for name, value in changed.items() if value is not None}
        loaded = load(model, device=device, dtype=dtype, embedder=embedder, **changed)
    saves_what_is_finished()
    with display.counting("caption") as progress:
        found = calibrating.calibrate(
            loaded,
            "auto" if index is None else index,
            references=references,
            captions=suspected,
            prompts=further,
            count=count,
            durations=durations or None,
            false_alarms=false_alarms,
            sounds=sounds,
            seed=seed,
            batch=batch,
            progress=progress,
        )
    path = found.keep() if output is None else Path(output)
    if output is not None:
        found.write(path)
    say(*_lines(found), f"{path}: calibration {found.digest[:8]}")
    if index is None and isinstance(loaded.defaults.guidance, Detour):
        say(f"{loaded.name} brings thresholds for its own training set, which `generate` keeps", err=True)


def _lines(found: Calibration) -> Iterator[str]:
    """What was found, in words."""
    from unheard.generation.calibration.thresholds import least_rate

    for at in found.durations:
        suspected = f"{len(found.suspected):,} suspected"
        yield f"{at.duration:g} s: {len(found.ordinary):,} ordinary captions, {suspected}"
        for name, statistic in at.statistics.items():
            yield f"  {_measure(name, at)} above {_threshold(statistic)}"
            if (told := statistic.separation) is not None:
                yield (
                    f"    suspected: {told.above:,} of {told.captions:,} exceed it ({told.low:.0%} to "
                    f"{told.high:.0%}), area under the curve {told.area:.2f}"
                )
    if found.replayed:
        why = "bringing back a recording" if found.recordings else "making one sound under any noise"
        captions = plural(len(found.replayed), "further caption")
        yield f'left out, for {why}: {captions} found only once, such as "{found.replayed[0]}"'
    least = least_rate(len(found.ordinary))
    yield f"{len(found.ordinary):,} captions cannot show fewer false alarms than {least:.1%} at 95 %"
    if found.separates is False:
        yield "these captions do not separate here: no gate opens for more of them than chance explains"
    statistics = found.durations[-1].statistics
    for name in (PULL, SETTLED_PULL):
        values = dict(zip(found.ordinary, statistics[name].ordinary, strict=True))
        for caption in sorted(values, key=values.__getitem__, reverse=True)[:HARDEST]:
            yield f'  ordinary, {name} {values[caption]:.3g}: "{caption}"'
    for each in found.proof:
        left = "kept its caption" if each.prompt_weight is None else f'went on as "{each.fallback or ""}"'
        yield f'  "{each.caption}": {each.plain} without guidance, {each.guided} with it, which {left}'
    spent = found.made
    yield f"{spent['pairs_of_predictions']:,} pairs of predictions, {spent['seconds']:,.0f} s"


def _measure(name: str, at: AtDuration) -> str:
    if name == PULL:
        return f"pull, at a noise level of {at.high_noise:.3g} and more,"
    return CALLED[name] if name in OF_GATES else f"{CALLED[name]} (no gate asks for it)"


def _threshold(statistic: Statistic) -> str:
    """A threshold with its interval."""
    told = statistic.threshold
    low, high = ("?" if bound is None else f"{bound:.3g}" for bound in (told.low, told.high))
    return (
        f"{told.value:.3g} ({low} to {high}, by the {told.by}) for {told.rate:.3g} of ordinary captions: "
        f"{told.above:,} of {told.captions:,} exceed it"
    )
