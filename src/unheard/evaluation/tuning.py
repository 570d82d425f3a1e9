"""Searches settings by Optuna: copies and collapses against adherence against time; resumes.

A trial is a setting, run on all prompts and seeds of the experiment like any other; its batches lie in
`parts` and are not made again. Trials lie in `trials.db`, so that a stop loses one batch at the most.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from unheard.common.files import check_folder
from unheard.common.progress import Report
from unheard.common.texts import plural
from unheard.errors import InputError
from unheard.evaluation.experiment import Experiment
from unheard.evaluation.identity import digest
from unheard.evaluation.local_engine import LocalEngine
from unheard.evaluation.results_folder import ResultsFolder
from unheard.evaluation.run import run_settings
from unheard.evaluation.space import suggest
from unheard.evaluation.summary import summarise

if TYPE_CHECKING:
    import optuna

OBJECTIVES: dict[str, Literal["minimize", "maximize"]] = {
    "copied_or_collapsed": "minimize",
    "clap_score": "maximize",
    "seconds": "minimize",
}
"""Metrics that are traded against each other: copies and collapses, adherence by the judge, time a sound."""
DATABASE = "trials.db"
PATIENCE = 5
"""Settings in a row that may be passed over: some corners of a space make no sound, a wrong space none."""
MISSING_AT_MOST = 0.1
"""Share of a trial's sounds that may have failed or been left open: what is missing may be what was bad."""


@dataclass(frozen=True)
class Trial:
    """A setting, and what it came to.

    Attributes:
        number: of the trial.
        setting: options as an experiment file has them.
        values: of `OBJECTIVES`, means over prompts.
        missing: sounds that failed, or that the audit left open; their rate is unknown.
        pareto_optimal: whether no other trial is as good in all objectives and better in one.
    """

    number: int
    setting: dict[str, Any]
    values: dict[str, float]
    missing: int
    pareto_optimal: bool


def tune(
    experiment: Experiment,
    trials: int,
    out: Path,
    finished: Callable[[list[Trial], Trial], None] | None = None,
    progress: Report | None = None,
) -> list[Trial]:
    """Search until there are `trials` finished ones in the folder, counting those of earlier runs.

    Args:
        experiment: with `search`; its prompts and seeds are what settings are chosen on, so report on others.
        trials: at least 1.
        out: where trials, parts and sounds lie.
        finished: called after each trial with all that are finished, and the last one.
        progress: called within trials, see `unheard.evaluation.run.evaluate`.

    Raises:
        InputError: no search in the experiment, several models, no judge, a folder of another search, no
            optuna, trials that cannot be read or written, or `PATIENCE` settings in a row under which more
            than `MISSING_AT_MOST` of the sounds failed or were left open.
    """
    if len(experiment.models) > 1:
        raise InputError(f"tuning is for one model, not {', '.join(experiment.models)}: give a file for each")
    with _explained(out / DATABASE):
        return _search(experiment, trials, out, finished, progress)


def _search(
    experiment: Experiment,
    trials: int,
    out: Path,
    finished: Callable[[list[Trial], Trial], None] | None,
    progress: Report | None,
) -> list[Trial]:
    _check_searchable(experiment)
    import optuna

    check_folder(out)
    folder = ResultsFolder(out)
    if (out / DATABASE).exists():
        _study(experiment, folder)  # trials of another experiment are told of before the models are loaded
    local = LocalEngine(experiment, progress)
    if local.judge_embedder is None:
        raise InputError("tuning weighs adherence, and there is no judge: name one (judge = FOLDER)")
    if local.unaudited is not None:
        raise InputError(f"tuning counts copies, and without recordings none is found: {local.unaudited}")
    local.warn_of_left_out()
    study = _study(experiment, folder)
    _take_up_interrupted(study)
    passed_over = 0
    while len(_finished(study)) < trials:
        # Whoever stops and goes on shall not be given the same random numbers again.
        study.sampler = optuna.samplers.TPESampler(
            seed=len(study.trials), multivariate=True, group=True, n_startup_trials=10
        )
        trial = study.ask()
        setting = suggest(trial, experiment.search)
        trial.set_user_attr("setting", setting)
        outcome = _outcome(run_settings(local, [_named(local, setting)], folder, progress))
        if outcome.missing > MISSING_AT_MOST * outcome.asked:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            why = (
                f"{outcome.missing} of {plural(outcome.asked, 'sound')} failed or stayed open under {setting}"
            )
            if (passed_over := passed_over + 1) == PATIENCE:
                raise InputError(
                    f"{PATIENCE} settings in a row had to be passed over; {why}: see `error` in "
                    f"{out / 'parts'} and `verdict` in {out / 'judgements'}; narrow the search, or leave out "
                    "such prompts"
                )
            warnings.warn(f"passed over: {why}", stacklevel=2)
            continue
        passed_over = 0
        trial.set_user_attr("missing", outcome.missing)
        study.tell(trial, [outcome.values[objective] for objective in OBJECTIVES])
        if finished is not None:
            so_far = finished_trials(study)
            finished(so_far, next(each for each in so_far if each.number == trial.number))
    return finished_trials(study)


def finished_trials(study: optuna.Study) -> list[Trial]:
    """The finished trials of a study, in order."""
    best = {trial.number for trial in study.best_trials}
    return [
        Trial(
            trial.number,
            trial.user_attrs["setting"],
            dict(zip(OBJECTIVES, trial.values, strict=True)),
            trial.user_attrs["missing"],
            trial.number in best,
        )
        for trial in _finished(study)
    ]


def _check_searchable(experiment: Experiment) -> None:
    """Raise InputError if there is nothing to search, or nothing to search with."""
    if not experiment.search:
        raise InputError("the experiment has nothing to search: give [search.NAME] with ranges")
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise InputError('tuning needs optuna: pip install "unheard[evaluate]"') from error


def _study(experiment: Experiment, folder: ResultsFolder) -> optuna.Study:
    """The search of a folder, found there or begun."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.make()
    study = optuna.create_study(
        storage=f"sqlite:///{folder.path / DATABASE}",
        study_name="tune",
        directions=[*OBJECTIVES.values()],
        load_if_exists=True,
    )
    asked = digest(asdict(experiment))
    if study.user_attrs.get("experiment", asked) != asked:
        raise InputError(f"{folder.path} holds the trials of another experiment: choose another folder")
    study.set_user_attr("experiment", asked)
    return study


@contextmanager
def _explained(database: Path) -> Iterator[None]:
    """Turn what the trials' database says, such as that the disk is full, into one line."""
    try:
        from optuna.exceptions import StorageInternalError
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError:  # which is told where it is needed
        yield
        return
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        said = error if isinstance(error, SQLAlchemyError) else error.__cause__
        reason = str(getattr(said, "orig", None) or said or error).partition("\n")[0]
        raise InputError(f"cannot use {database} ({reason}): make room, or choose another folder") from error


def _take_up_interrupted(study: optuna.Study) -> None:
    """Trials that were running when the last run was stopped come first, with the same values."""
    import optuna

    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        study.enqueue_trial(trial.params)


def _finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    import optuna

    return study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))


def _named(local: LocalEngine, setting: Mapping[str, Any]) -> str:
    """The setting under a name of its values, so that its batches are found again."""
    name = digest(setting)[:12]
    local.add(name, setting)
    return name


@dataclass(frozen=True)
class _Outcome:
    """What a trial came to: its sounds, those of them that failed or were left open, the objectives."""

    asked: int
    missing: int
    values: dict[str, float]


def _outcome(table: pa.Table) -> _Outcome:
    name = table["setting"][0].as_py()
    entries = [e for e in summarise(table, {name: name}, metrics=OBJECTIVES) if e["group"] == "all"]
    of = {entry["metric"]: entry for entry in entries}
    missing = len(table) - of["copied_or_collapsed"]["sounds"]
    return _Outcome(len(table), missing, {metric: entry["value"] for metric, entry in of.items()})
