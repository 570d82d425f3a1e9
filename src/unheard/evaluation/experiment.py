"""The experiment file (TOML): models, settings as small differences from a base, prompts, seeds, metrics."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unheard.auditing import BOUNDS
from unheard.backbones.hub import KNOWN_MODELS
from unheard.common.checks import check_keys, require_above_zero, require_whole
from unheard.common.structured_files import read_toml
from unheard.errors import InputError, about, said
from unheard.evaluation.metrics import METRICS
from unheard.evaluation.prompts import Prompt, read_prompts
from unheard.evaluation.settings import Setting, read_settings, under_models
from unheard.generation.request import check_batch, seeds_for

KEYS = (
    "model", "models", "base", "settings", "search", "baseline", "prompts", "seeds", "batch", "judge",
    "listener", "references", "held_out", "bound", "metrics", "index", "embedder", "duration", "device",
    "dtype",
)  # fmt: skip

PATHS_OR_URIS = ("references", "held_out", "index")
MOST_SEEDS = 1 << 20


@dataclass(frozen=True)
class Experiment:
    """What is to be compared, or searched.

    Attributes:
        models: as `unheard.load` takes them; sets of prompts, and the judge, are those of the first.
        settings: by name, see `unheard.evaluation.settings.Setting`.
        baselines: for each setting the one that differences are taken to.
        prompts: those that can be generated.
        refused: those that cannot, with the reason.
        seeds: every prompt takes all of them, under every setting.
        batch: sounds at once.
        judge: an embedder that no guidance uses; None for the first model's folder `judge`.
        listener: the folder of one that hears instrument, family, tempo and key; None for the first model's
            folder `listener`.
        references: recordings of the audit; None for the model's own.
        held_out: recordings that the model never saw, a folder or an index made by the judge, for the
            distances between sets; None leaves these unmeasured.
        bound: the verdict that counts as replication, with those worse.
        search: like `settings`, with ranges and choices in place of values, for `unheard tune`; see
            `unheard.evaluation.space`.
        metrics: what is summarised, of `metrics.METRICS`.
        index: the training set of all models; None for what each brings.
        embedder: what measures similarity to it; None for what each brings.
        duration: seconds of a sound whose prompt brings none; None for each model's own.
        device, dtype: as `unheard.load` takes them.
    """

    models: tuple[str, ...]
    settings: dict[str, Setting]
    baselines: dict[str, str]
    prompts: tuple[Prompt, ...]
    refused: dict[str, str]
    seeds: tuple[int, ...]
    batch: int = 4
    judge: str | None = None
    listener: str | None = None
    references: str | None = None
    held_out: str | None = None
    bound: str = "copy"
    search: dict[str, Setting] = field(default_factory=dict)
    metrics: tuple[str, ...] = METRICS
    index: str | None = None
    embedder: str | None = None
    duration: float | None = None
    device: str = "auto"
    dtype: str | None = None

    @classmethod
    def read(cls, path: str | Path) -> Experiment:
        """Read a file; paths in it are relative to it.

        Raises:
            InputError: unreadable, an unknown key (names the nearest right one), a value that cannot be used.
        """
        file = Path(path)
        try:
            table = read_toml(file)
        except OSError as error:
            raise InputError(f"cannot read the experiment {path}: {said(error)}") from error
        except ValueError as error:
            raise InputError(f"the experiment {path} is not TOML ({error}): mend it there") from error
        with about(str(path)):
            return cls._of_table(table, path)

    @classmethod
    def _of_table(cls, table: Mapping[str, Any], path: str | Path) -> Experiment:
        """What stands in a file."""
        file = Path(path)
        _check_values(table, path)
        settings, search = read_settings(table, path)
        baseline = table.get("baseline", "none" if "none" in settings else next(iter(settings), ""))
        if settings:
            check_keys([baseline], list(settings), f"{path}, baseline")
        models = _models(table, path)
        located = [_locate(file, model) for model in models]
        prompts, refused = read_prompts(table.get("prompts", []), file, located[0])
        settings, baselines = under_models(settings, baseline, models)
        for options in settings.values():
            options["model"] = _locate(file, options["model"])
        given: dict[str, Any] = {
            **{key: _locate(file, table[key]) for key in ("judge", "listener", "embedder") if key in table},
            **{key: _absolute(file, table[key]) for key in PATHS_OR_URIS if key in table},
            **{key: table[key] for key in ("bound", "duration", "device", "dtype") if key in table},
        }
        return cls(
            models=tuple(dict.fromkeys([*located, *(options["model"] for options in settings.values())])),
            settings=settings,
            baselines=baselines,
            prompts=prompts,
            refused=refused,
            seeds=_seeds(table.get("seeds", [0]), path),
            batch=check_batch(table.get("batch", 4), 1),
            search=search,
            metrics=_metrics(table.get("metrics", METRICS), path),
            **given,
        )

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Experiment:
        """The experiment of a folder of results, as JSON has it.

        Raises:
            InputError: another version of unheard wrote it, and knew other keys.
        """
        tuples = {name: tuple(stored[name]) for name in ("models", "seeds", "metrics") if name in stored}
        try:
            prompts = tuple(
                Prompt(**{**each, "targets": tuple(each["targets"])}) for each in stored["prompts"]
            )
            return cls(**{**stored, **tuples, "prompts": prompts})
        except (KeyError, TypeError) as error:
            raise InputError(f"the results are of another version of unheard ({error}): use that") from error


def _check_values(table: Mapping[str, Any], path: str | Path) -> None:
    """Find out whether the keys are known, and paths, names, seconds and the bound such."""
    check_keys(table, KEYS, str(path))
    for key in ("judge", "listener", "embedder", *PATHS_OR_URIS, "device", "dtype"):
        if not isinstance(table.get(key, ""), str):
            raise InputError(f"{path}: {key} is {table[key]!r}: give one path or name")
    if "duration" in table:
        require_above_zero("duration", table["duration"])
    check_keys([table.get("bound", "copy")], BOUNDS, f"{path}, bound")


def _models(table: Mapping[str, Any], path: str | Path) -> list[str]:
    """The models that every setting is run on."""
    if "model" in table and "models" in table:
        raise InputError(f"{path} has both model and models: give one of them")
    models = table.get("models", [table.get("model", "tiny")])
    named = isinstance(models, list) and all(isinstance(model, str) for model in models)
    if not named or not models or len(set(models)) < len(models):
        raise InputError(f"{path}: models are {models!r}: give a list of different ones, at least one")
    return list(models)


def _metrics(given: Any, path: str | Path) -> tuple[str, ...]:
    if not isinstance(given, list | tuple) or not given:
        raise InputError(f"{path}: metrics are {given!r}: give a list of names, at least one")
    check_keys(given, METRICS, f"{path}, metrics")
    return tuple(metric for metric in METRICS if metric in given)


def _locate(file: Path, name: str) -> str:
    """A model or an embedder: a folder, as seen from the file or from here, or what else it is called."""
    if name in {model.name for model in KNOWN_MODELS}:
        return name
    folders = (folder / Path(name).expanduser() for folder in (file.parent, Path()))
    return next((str(folder.resolve()) for folder in folders if os.path.isdir(folder)), name)


def _absolute(file: Path, path_or_uri: str) -> str:
    """A path, as seen from the file, that holds in any folder; an object store's URI does already."""
    return path_or_uri if "://" in path_or_uri else str((file.parent / path_or_uri).resolve())


def _seeds(given: Any, path: str | Path) -> tuple[int, ...]:
    """A list of different seeds, or as many as asked for from the first one on."""
    if isinstance(given, Mapping):
        check_keys(given, ("first", "count"), f"{path}, seeds")
        first, count = given.get("first", 0), given.get("count", 1)
        require_whole("first of seeds", first, 0)
        require_whole("count of seeds", count, 1)
        if count > MOST_SEEDS:
            raise InputError(f"{path}: count of seeds is {count}: give at most {MOST_SEEDS:,}")
        given = range(first, first + count)
    if not isinstance(given, list | range):
        raise InputError(f"{path}: seeds is {given!r}: give a list, or a table with first and count")
    seeds = seeds_for(["seed"] * len(given), list(given))
    if not seeds or len(set(seeds)) < len(seeds):
        raise InputError(f"{path}: seeds are {list(given)}: give different ones, at least one")
    return seeds
