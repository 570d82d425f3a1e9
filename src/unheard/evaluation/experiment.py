"""The experiment file (TOML): a model, settings as small differences from a base, prompts, seeds."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from unheard.errors import InputError
from unheard.evaluation.prompts import Prompt, read_prompts
from unheard.evaluation.space import SETTING_KEYS, check_space
from unheard.evaluation.spelling import check_keys
from unheard.models import Defaults, fetch
from unheard.request import check_batch, seeds_for
from unheard.settings import AMG, Sampling, describe_guidance, read_guidance

KEYS = (
    "model", "base", "settings", "search", "baseline", "prompts", "seeds", "batch", "judge", "references",
    "held_out", "bound",
)  # fmt: skip

_SAMPLING = tuple(part.name for part in fields(Sampling))


@dataclass(frozen=True)
class Experiment:
    """What is to be compared, or searched.

    Attributes:
        model: as `unheard.load` takes it.
        settings: options of `Model.request` by the setting's name; guidance as a table, or absent for the
            model's own.
        baseline: the setting that differences are taken to.
        prompts: those that can be generated.
        refused: those that cannot, with the reason.
        seeds: every prompt takes all of them, under every setting.
        batch: sounds at once.
        judge: an embedder that no guidance asks; None for the model's folder `judge`.
        references: recordings of the audit; None for the model's own.
        held_out: recordings that the model never saw, a folder or an index made by the judge, for the
            distances between sets; None leaves these unmeasured.
        bound: the verdict that counts as replication, with those worse.
        search: like `settings`, with ranges and choices in place of values, for `unheard tune`; see
            `unheard.evaluation.space`.
    """

    model: str
    settings: dict[str, dict[str, Any]]
    baseline: str
    prompts: tuple[Prompt, ...]
    refused: dict[str, str]
    seeds: tuple[int, ...]
    batch: int = 4
    judge: str | None = None
    references: str | None = None
    held_out: str | None = None
    bound: str = "copy"
    search: dict[str, dict[str, Any]] = field(default_factory=dict)

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
        base = table.get("base", {})
        check_keys(base, SETTING_KEYS, f"{path}, base")
        settings, search = (
            {
                name: _merged(base, difference, f"{path}, {part}.{name}")
                for name, difference in table.get(part, {}).items()
            }
            for part in ("settings", "search")
        )
        if not settings and not search:
            raise InputError(f"{path} has no settings: give at least one, such as [settings.none]")
        for options in settings.values():
            _check_values(options)
        for name, space in search.items():
            check_space(space, f"{path}, search.{name}")
        baseline = table.get("baseline", "none" if "none" in settings else next(iter(settings), ""))
        if settings:
            check_keys([baseline], list(settings), f"{path}, baseline")
        model = table.get("model", "tiny")
        prompts, refused = read_prompts(table.get("prompts", []), place, fetch(model))
        references, held_out = (
            None if table.get(key) is None else _place(place.parent, table[key])
            for key in ("references", "held_out")
        )
        return cls(
            model, settings, baseline, prompts, refused, _seeds(table.get("seeds", [0]), path),
            check_batch(table.get("batch", 4), 1), table.get("judge"), references, held_out,
            table.get("bound", "copy"), search,
        )  # fmt: skip

    @classmethod
    def from_manifest(cls, stored: Mapping[str, Any]) -> Experiment:
        """The experiment of a folder of results, as JSON has it."""
        prompts = (Prompt(**{**each, "targets": tuple(each["targets"])}) for each in stored["prompts"])
        return cls(**{**stored, "prompts": tuple(prompts), "seeds": tuple(stored["seeds"])})


def _place(folder: Path, given: str) -> str:
    """A path that holds in any folder; an object store's URI does already."""
    return given if "://" in given else str((folder / given).resolve())


def as_options(setting: Mapping[str, Any], defaults: Defaults) -> dict[str, Any]:
    """A setting with its guidance read: the model's own where there is none, or what is left of it."""
    options = dict(setting)
    table = options.get("guidance")
    if table is None:
        options["guidance"] = defaults.guidance
    elif "kind" in table:
        options["guidance"] = read_guidance(table)
    else:
        options["guidance"] = read_guidance({**describe_guidance(defaults.guidance), **table})
    return options


def _merged(base: Mapping[str, Any], difference: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A setting: the base, and what differs; of guidance of the same kind only the keys that differ."""
    check_keys(difference, SETTING_KEYS, where)
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


def _check_values(options: Mapping[str, Any]) -> None:
    """Find out before any work whether a setting can be used."""
    Sampling(**{key: value for key, value in options.items() if key in _SAMPLING})
    if options.get("guidance", {}).get("kind"):
        read_guidance(options["guidance"])


def _seeds(given: Any, path: str | Path) -> tuple[int, ...]:
    """A list of different seeds, or as many as asked for from the first one on."""
    if isinstance(given, Mapping):
        check_keys(given, ("first", "count"), f"{path}, seeds")
        given = range(given.get("first", 0), given.get("first", 0) + given.get("count", 1))
    seeds = seeds_for(["seed"] * len(given), list(given))
    if not seeds or len(set(seeds)) < len(seeds):
        raise InputError(f"{path}: seeds are {list(given)}: give different ones, at least one")
    return seeds
