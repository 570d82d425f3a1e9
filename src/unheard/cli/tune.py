"""`unheard tune`: a search over settings to a Pareto front, and presets for `unheard generate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from unheard.cli.evaluate import experiment_inputs
from unheard.cli.interruption import saves_what_is_finished
from unheard.cli.options import overwrite_option, quiet_option
from unheard.cli.progress import Display, Pace
from unheard.cli.targets import check_targets, results_targets
from unheard.cli.terminal import say
from unheard.common.checks import require_whole
from unheard.common.texts import plural
from unheard.errors import InputError

if TYPE_CHECKING:
    from unheard.evaluation.tuning import Trial


@click.command()
@click.argument("experiment")
@click.option(
    "-o",
    "--out",
    metavar="FOLDER",
    required=True,
    help="Where trials and presets are written; those that lie there count.",
)
@click.option("--trials", type=int, default=60, metavar="N", show_default=True, help="Finished ones in all.")
@overwrite_option()
@quiet_option()
def tune(experiment: str, out: str, trials: int, overwrite: bool) -> None:
    """Search settings that replay least, obey best and cost least, as an EXPERIMENT file (TOML) says.

    Every trial is judged on all prompts and seeds of the file: give those that you will not report on. Writes
    trials.csv, front.png, and a preset for each trial that no other beats in everything. It can be
    interrupted and run again; trials that lie in --out count.

    \b
    Examples:
      unheard tune experiments/tune.toml --trials 60 --out results/tune
      unheard generate "A slow piano" --preset results/tune/presets/trial-12.json
    """
    require_whole("trials", trials, 1)
    from unheard.evaluation.experiment import Experiment

    asked = Experiment.read(experiment)
    earlier = (f"presets/{path.name}" for path in Path(out).glob("presets/trial-*.json"))
    written = results_targets(Path(out), ("trials.csv", "front.png", *earlier))
    if Path(out).is_dir():
        check_targets(written, experiment_inputs(experiment, asked), overwrite=overwrite)
    from unheard.backbones.hub import fetch
    from unheard.evaluation import pareto, tuning
    from unheard.generation.defaults import read_defaults

    pace, folder, defaults = Pace(), Path(out), read_defaults(fetch(asked.models[0]))

    def write(so_far: list[Trial], last: Trial) -> None:
        pareto.write(so_far, defaults, folder)
        pace.update(len(so_far), trials)
        say(f"trial {len(so_far):,} of {trials:,}: {_values(last)}{pace}", err=True)

    saves_what_is_finished()
    with Display().counting("sound") as progress:
        finished = tuning.tune(asked, trials, folder, write, progress)
    presets = pareto.write(finished, defaults, folder)
    try:
        pareto.draw(finished, folder / "front.png")
    except InputError as error:
        say(f"unheard: warning: {error}", err=True)
    best = sorted(
        (each for each in finished if each.pareto_optimal),
        key=lambda each: each.values["copied_or_collapsed"],
    )
    for each in best:
        say(f"{folder / 'presets' / f'trial-{each.number}.json'}: {_values(each)}")
    front = f"{len(presets):,} of {plural(len(finished), 'trial')}"
    say(f"on the Pareto front: {front}; all are in {folder / 'trials.csv'}")
    if asked.refused:
        say(f"unheard: warning: {plural(len(asked.refused), 'prompt')} cannot be generated", err=True)


def _values(trial: Trial) -> str:
    bad, adherence, seconds = trial.values.values()
    return f"{100 * bad:.1f} % copied or collapsed, CLAP score {adherence:.3f}, {seconds:.1f} s a sound"
