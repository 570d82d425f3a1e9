"""`unheard evaluate`: an experiment file to rows, a summary and sounds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from unheard.cli import exits
from unheard.cli.evaluation_output import output
from unheard.cli.interruption import saves_what_is_finished
from unheard.cli.options import engine_options, overwrite_option, quiet_option
from unheard.cli.progress import Display
from unheard.cli.targets import Input, check_targets, inputs, results_targets
from unheard.cli.terminal import say
from unheard.common.texts import plural
from unheard.errors import InputError

if TYPE_CHECKING:
    from unheard.evaluation.experiment import Experiment

WRITTEN = (
    "generations.parquet", "summary.md", "summary.csv", "manifest.json", "trade-off.png",
    "distributions.png", "trajectory.png",
)  # fmt: skip
"""Files of a folder of results, beside those of its batches."""


@click.command()
@click.argument("experiment", required=False)
@click.option("-o", "--out", metavar="FOLDER", help="Where results go; what lies there is not made again.")
@click.option("--again", nargs=2, metavar="FOLDER ROW", help="Make this row again and compare its audio.")
@engine_options("generates and judges")
@overwrite_option()
@quiet_option()
def evaluate(
    experiment: str | None,
    out: str | None,
    again: tuple[str, str] | None,
    engine: str,
    ray_address: str | None,
    overwrite: bool,
) -> int:
    """Compare settings on matched prompts and seeds, as an EXPERIMENT file (TOML) says.

    Writes generations.parquet, summary.md, summary.csv, manifest.json and the sounds. It can be interrupted
    and run again; what failed is tried again then. Prompts that cannot be generated are reported at the end,
    with exit code 2.

    \b
    Examples:
      unheard evaluate experiments/quick.toml --out results/quick
      unheard evaluate experiments/ablation.toml --out results/ablation --engine ray
      unheard evaluate --again results/quick 3
    """
    if again is not None:
        if experiment or out or engine != "local" or ray_address or overwrite:
            raise click.UsageError("--again makes one row on this machine: give FOLDER ROW and nothing else")
        return _reproduce(*again)
    if experiment is None or out is None:
        raise click.UsageError("give an experiment file and --out FOLDER, or --again FOLDER ROW")
    if ray_address is not None and engine != "ray":
        raise click.UsageError("--ray-address has nothing to do without --engine ray: give both")
    from unheard.evaluation.experiment import Experiment

    asked = Experiment.read(experiment)
    from unheard.evaluation import run, summary, summary_files

    if Path(out).is_dir():
        written = results_targets(Path(out), WRITTEN, goes_on=run.goes_on(asked, Path(out)))
        check_targets(written, experiment_inputs(experiment, asked), overwrite=overwrite)
    saves_what_is_finished()
    with ExitStack() as until_the_end:
        on_ray = None
        if engine == "ray":
            from unheard.evaluation.ray_engine import ray_engine

            on_ray = until_the_end.enter_context(ray_engine(asked, ray_address))
        progress = until_the_end.enter_context(Display().counting("sound"))
        results = run.evaluate(asked, Path(out), progress, on_ray)
    table = results.table
    entries = summary.summarise(table, asked.baselines, results.held_out, asked.metrics)
    summary_files.write(entries, table, asked.baselines, asked.refused, results.references, Path(out))
    output(entries, Path(out))
    try:
        from unheard.evaluation import plots

        plots.draw(table, entries, Path(out))
    except InputError as error:
        say(f"unheard: warning: {error}", err=True)
    failed = sum(error is not None for error in table["error"].to_pylist())
    if failed or asked.refused:
        say(
            f"unheard: {plural(len(asked.refused), 'prompt')} refused, {plural(failed, 'sound')} failed; "
            f"see {out}/summary.md",
            err=True,
        )
        return exits.ERROR
    return 0


def experiment_inputs(path: str, asked: Experiment) -> Iterator[Input]:
    """What an experiment reads, as far as its file names it."""
    yield from inputs([path], "the experiment")
    yield from inputs([asked.references, asked.held_out], "a recording")
    yield from inputs([asked.index], "the index", whole=True)
    yield from inputs([*asked.models, asked.judge, asked.embedder], "a model", whole=True)


def _reproduce(folder: str, row: str) -> int:
    """Make a row of results again, and say whether it is the same audio."""
    if not row.isdigit():
        raise InputError(f"row is {row!r}: give a whole number from 0")
    from unheard.evaluation.reproduce import reproduce

    reproduction = reproduce(Path(folder), int(row))
    if reproduction.same:
        say("the same audio as recorded")
        return 0
    unknown = "nothing that is known of it differs; was the code another?"
    say(f"other audio than recorded: {'; '.join(reproduction.differences) or unknown}")
    return exits.ERROR
