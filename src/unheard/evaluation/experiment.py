"""The experiment file (TOML): models, settings as small differences from a base, prompts, seeds, metrics."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from unheard.auditing import BOUNDS
from unheard.backbones.hub import KNOWN_MODELS
from unheard.common.checks import check_keys, require_above_zero, require_whole
from unheard.diffusion.settings import Sampling
from unheard.errors import InputError
from unheard.evaluation.metrics import METRICS
from unheard.evaluation.prompts import Prompt, read_prompts
from unheard.evaluation.space import SETTING_KEYS, check_space
from unheard.generation.defaults import Defaults
from unheard.generation.request import check_batch, seeds_for
from unheard.guidance import describe_guidance, read_guidance
from unheard.guidance.amg.settings import AMG

KEYS = (
    "model", "models", "base", "settings", "search", "baseline", "prompts", "seeds", "batch", "judge",
    "references", "held_out", "bound", "metrics", "index", "embedder", "duration", "device", "dtype",
)  # fmt: skip

_SAMPLING = tuple(part.name for part in fields(Sampling))


@dataclass(frozen=True)
class Experiment:
    """What is to be compared, or searched.

    Attributes:
        models: as `unheard.load` takes them; sets of prompts, and the judge, are those of the first.
        settings: options of `Model.request` by the setting's name, and "model"; guidance as a table, or
            absent for the model's own.
        baselines: for each setting the one that differences are taken to.
        prompts: those that can be generated.
        refused: those that cannot, with the reason.
        seeds: every prompt takes all of them, under every setting.
        batch: sounds at once.
        judge: an embedder that no guidance asks; None for the first model's folder `judge`.
        references: recordings of the audit; None for the model's own.
        held_out: recordings that the model never saw, a folder or an index made by the judge, for the
            distances between sets; None leaves these unmeasured.
        bound: the verdict that counts as replication, with those worse.
        search: like `settings`, with ranges and choices in place of values, for `unheard tune`; see
            `unheard.evaluation.space`.
        metrics: what is summarised, of `metrics.METRICS`.
        index: the training set of all models; None for what each brings.
        embedder: what hears similarity to it; None for what each brings.
        duration: seconds of a sound whose prompt brings none; None for each model's own.
        device, dtype: as `unheard.load` takes them.
    """

    models: tuple[str, ...]
    settings: dict[str, dict[str, Any]]
    baselines: dict[str, str]
    prompts: tuple[Prompt, ...]
    refused: dict[str, str]
    seeds: tuple[int, ...]
    batch: int = 4
    judge: str | None = None
    references: str | None = None
    held_out: str | None = None
    bound: str = "copy"
    search: dict[str, dict[str, Any]] = field(default_factory=dict)
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
        place = Path(path)
        try:
            table = tomllib.loads(place.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"cannot read the experiment {path}: {error}") from error
        check_keys(table, KEYS, str(path))
        for key in ("judge", "references", "held_out", "index", "embedder", "device", "dtype"):
            if not isinstance(table.get(key, ""), str):
                raise InputError(f"{path}: {key} is {table[key]!r}: give one path or name")
        if "duration" in table:
            require_above_zero("duration", table["duration"])
        base = _checked(table.get("base", {}), SETTING_KEYS, f"{path}, base")
        settings, search = (
            {
                name: _merged(base, difference, f"{path}, {part}.{name}", keys)
                for name, difference in _checked(table.get(part, {}), None, f"{path}, {part}").items()
            }
            for part, keys in (("settings", (*SETTING_KEYS, "model")), ("search", SETTING_KEYS))
        )
        if not settings and not search:
            raise InputError(f"{path} has no settings: give at least one, such as [settings.none]")
        for name, options in settings.items():
            _check_values(options, f"{path}, settings.{name}")
        for name, space in search.items():
            check_space(space, f"{path}, search.{name}")
        baseline = table.get("baseline", "none" if "none" in settings else next(iter(settings), ""))
        if settings:
            check_keys([baseline], list(settings), f"{path}, baseline")
        check_keys([table.get("bound", "copy")], BOUNDS, f"{path}, bound")
        models = _models(table, path)
        found = [_found(place, model) for model in models]
        prompts, refused = read_prompts(table.get("prompts", []), place, found[0])
        settings, baselines = _under(settings, baseline, models)
        for options in settings.values():
            options["model"] = _found(place, options["model"])
        given: dict[str, Any] = {
            **{key: _found(place, table[key]) for key in ("judge", "embedder") if key in table},
            **{key: _place(place, table[key]) for key in ("references", "held_out", "index") if key in table},
            **{key: table[key] for key in ("bound", "duration", "device", "dtype") if key in table},
        }
        return cls(
            models=tuple(dict.fromkeys([*found, *(options["model"] for options in settings.values())])),
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


def _models(table: Mapping[str, Any], path: str | Path) -> list[str]:
    """The models that every setting is run on."""
    if "model" in table and "models" in table:
        raise InputError(f"{path} has both model and models: give one of them")
    models = table.get("models", [table.get("model", "tiny")])
    named = isinstance(models, list) and all(isinstance(model, str) for model in models)
    if not named or not models or len(set(models)) < len(models):
        raise InputError(f"{path}: models are {models!r}: give a list of different ones, at least one")
    return models


def _under(
    settings: Mapping[str, dict[str, Any]], baseline: str, models: list[str]
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Every setting under every model, but for one that names its own; and the baselines, of the same model.

    With several models, a setting is called after its model as well.
    """

    def under(name: str, model: str) -> str:
        several = len(models) > 1 and "model" not in settings[name]
        return f"{name} ({Path(model).name})" if several else name

    found, baselines = {}, {}
    for name, options in settings.items():
        for model in [options["model"]] if "model" in options else models:
            called = under(name, model)
            if called in found:
                raise InputError(f"two settings are called {called!r}: give their models other names")
            found[called] = {**options, "model": model}
            baselines[called] = under(baseline, models[0] if "model" in options else model)
    return found, baselines


def _metrics(given: Any, path: str | Path) -> tuple[str, ...]:
    if not isinstance(given, list | tuple) or not given:
        raise InputError(f"{path}: metrics are {given!r}: give a list of names, at least one")
    check_keys(given, METRICS, f"{path}, metrics")
    return tuple(metric for metric in METRICS if metric in given)


def _found(file: Path, name: str) -> str:
    """A model or an embedder: a folder, as seen from the file or from here, or what else it is called."""
    if name in {model.name for model in KNOWN_MODELS}:
        return name
    places = (folder / Path(name).expanduser() for folder in (file.parent, Path()))
    return next((str(place.resolve()) for place in places if place.is_dir()), name)


def _place(file: Path, given: str) -> str:
    """A path, as seen from the file, that holds in any folder; an object store's URI does already."""
    return given if "://" in given else str((file.parent / given).resolve())


def as_options(setting: Mapping[str, Any], defaults: Defaults) -> dict[str, Any]:
    """What `Model.request` is asked for under a setting: its guidance is read, or the model's own."""
    options = {key: value for key, value in setting.items() if key != "model"}
    table = options.get("guidance")
    if table is None:
        options["guidance"] = defaults.guidance
    elif "kind" in table:
        options["guidance"] = read_guidance(table)
    else:
        options["guidance"] = read_guidance({**describe_guidance(defaults.guidance), **table})
    return options


def _checked(given: Any, keys: Sequence[str] | None, where: str) -> Mapping[str, Any]:
    """A table of the file with none but these keys; with any, if they are None."""
    if not isinstance(given, Mapping):
        raise InputError(f"{where} is {given!r}: give a table")
    if keys is not None:
        check_keys(given, keys, where)
    return given


def _merged(base: Mapping[str, Any], difference: Any, where: str, keys: Sequence[str]) -> dict[str, Any]:
    """A setting: the base, and what differs; of guidance of the same kind only the keys that differ."""
    difference = _checked(difference, keys, where)
    merged = {**base, **difference}
    ours, theirs = (_table(part.get("guidance"), where) for part in (base, difference))
    if ours is not None and theirs is not None:
        same = "kind" not in theirs or theirs["kind"] == ours.get("kind", AMG.kind)
        merged["guidance"] = {**ours, **theirs} if same else theirs
    elif ours is not None or theirs is not None:
        merged["guidance"] = ours if theirs is None else theirs
    return merged


def _table(guidance: Any, where: str) -> dict[str, Any] | None:
    if guidance is not None and not isinstance(guidance, str | dict):
        raise InputError(f"{where}: guidance is {guidance!r}: give a kind, or a table with a kind")
    return {"kind": guidance} if isinstance(guidance, str) else guidance


def _check_values(options: Mapping[str, Any], where: str) -> None:
    """Find out before any work whether a setting can be used."""
    if "model" in options and not isinstance(options["model"], str):
        raise InputError(f"{where}: model is {options['model']!r}: give a name, a folder or a hub id")
    Sampling(**{key: value for key, value in options.items() if key in _SAMPLING})
    if options.get("guidance", {}).get("kind"):
        read_guidance(options["guidance"])


def _seeds(given: Any, path: str | Path) -> tuple[int, ...]:
    """A list of different seeds, or as many as asked for from the first one on."""
    if isinstance(given, Mapping):
        check_keys(given, ("first", "count"), f"{path}, seeds")
        first, count = given.get("first", 0), given.get("count", 1)
        require_whole("first of seeds", first, 0)
        require_whole("count of seeds", count, 1)
        given = range(first, first + count)
    if not isinstance(given, list | range):
        raise InputError(f"{path}: seeds is {given!r}: give a list, or a table with first and count")
    seeds = seeds_for(["seed"] * len(given), list(given))
    if not seeds or len(set(seeds)) < len(seeds):
        raise InputError(f"{path}: seeds are {list(given)}: give different ones, at least one")
    return seeds
