"""The experiment file (TOML): models, settings as small differences from a base, prompts, seeds."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from unheard.errors import InputError
from unheard.evaluation.spelling import check_keys
from unheard.models import Defaults
from unheard.request import check_batch, check_prompt, seeds_for
from unheard.settings import AMG, Sampling, describe_guidance, read_guidance

KEYS = ("model", "base", "settings", "baseline", "prompts", "seeds", "batch", "judge", "references", "bound")
SETTING_KEYS = (*(part.name for part in fields(Sampling)), "guidance", "negative_prompt")
PROMPT_KEYS = ("set", "list", "file", "duplicates", "group", "select")


@dataclass(frozen=True)
class Prompt:
    """A caption, the group that it is summarised with, ids of its training items, seconds (None: default)."""

    text: str
    group: str
    targets: tuple[str, ...] = ()
    duration: float | None = None


@dataclass(frozen=True)
class Experiment:
    """What is to be compared.

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
        bound: the verdict that counts as replication, with those worse.
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
    bound: str = "copy"

    @classmethod
    def read(cls, path: str | Path, folder_of: Any = None) -> Experiment:
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
        base, several = table.get("base", {}), table.get("settings", {})
        check_keys(base, SETTING_KEYS, f"{path}, base")
        if not several:
            raise InputError(f"{path} has no settings: give at least one, such as [settings.none]")
        for name, difference in several.items():
            check_keys(difference, SETTING_KEYS, f"{path}, settings.{name}")
        settings = {name: _merged(base, difference) for name, difference in several.items()}
        for options in settings.values():
            Sampling(**{key: value for key, value in options.items() if key in _SAMPLING})
            if options.get("guidance", {}).get("kind"):
                read_guidance(options["guidance"])
        baseline = table.get("baseline", "none" if "none" in settings else next(iter(settings)))
        check_keys([baseline], list(settings), f"{path}, baseline")
        from unheard.models import fetch

        model = table.get("model", "tiny")
        prompts, refused = _prompts(table.get("prompts", []), place, fetch(model))
        seeds = table.get("seeds", [0])
        if isinstance(seeds, Mapping):
            check_keys(seeds, ("first", "count"), f"{path}, seeds")
            seeds = range(seeds.get("first", 0), seeds.get("first", 0) + seeds.get("count", 1))
        checked = seeds_for(["seed"] * len(seeds), list(seeds))
        if not checked or len(set(checked)) < len(checked):
            raise InputError(f"{path}: seeds are {list(seeds)}: give different ones, at least one")
        references = table.get("references")
        return cls(
            model, settings, baseline, prompts, refused, checked,
            check_batch(table.get("batch", 4), 1), table.get("judge"),
            None if references is None else str(place.parent / references), table.get("bound", "copy"),
        )  # fmt: skip

    def options(self, setting: str, defaults: Defaults) -> dict[str, Any]:
        """What `Model.request` is asked for under a setting."""
        options = dict(self.settings[setting])
        table = options.get("guidance")
        if table is None:
            options["guidance"] = defaults.guidance
        elif "kind" in table:
            options["guidance"] = read_guidance(table)
        else:
            options["guidance"] = read_guidance({**describe_guidance(defaults.guidance), **table})
        return options


_SAMPLING = tuple(part.name for part in fields(Sampling))


def _merged(base: Mapping[str, Any], difference: Mapping[str, Any]) -> dict[str, Any]:
    """A setting: the base, and what differs; of guidance of the same kind only the keys that differ."""
    merged = {**base, **difference}
    ours, theirs = (_table(part.get("guidance")) for part in (base, difference))
    if ours is not None and theirs is not None:
        same = "kind" not in theirs or theirs["kind"] == ours.get("kind", AMG.kind)
        merged["guidance"] = {**ours, **theirs} if same else theirs
    elif ours is not None or theirs is not None:
        merged["guidance"] = ours if theirs is None else theirs
    return merged


def _table(guidance: Any) -> dict[str, Any] | None:
    return {"kind": guidance} if isinstance(guidance, str) else guidance


def _prompts(sources: Any, place: Path, model: Path) -> tuple[tuple[Prompt, ...], dict[str, str]]:
    found: dict[str, Prompt] = {}
    refused: dict[str, str] = {}
    for source in sources:
        check_keys(source, PROMPT_KEYS, f"{place}, prompts")
        some = list(_of_source(source, place.parent, model))
        if "select" in source:
            bounds = [int(part) if part else None for part in str(source["select"]).split(":")]
            some = some[slice(*bounds)]
        for prompt in some:
            try:
                check_prompt(prompt.text)
            except InputError as error:
                refused[str(prompt.text)] = str(error)
            else:
                found.setdefault(prompt.text, prompt)
    if not found:
        raise InputError(
            f"{place} has no prompt that can be generated: give [[prompts]] with a list or a set"
        )
    return tuple(found.values()), refused


def _of_source(source: Mapping[str, Any], folder: Path, model: Path) -> list[Prompt]:
    group = source.get("group")
    try:
        if "list" in source:
            return [Prompt(text, group or "listed") for text in source["list"]]
        if "file" in source:
            lines = (folder / source["file"]).read_text(encoding="utf-8").splitlines()
            return [Prompt(line.strip(), group or source["file"]) for line in lines if line.strip()]
        if "duplicates" in source:
            clusters = json.loads((folder / source["duplicates"]).read_text(encoding="utf-8"))["clusters"]
            return [Prompt(each["prompt"], group or each["kind"], tuple(each["ids"])) for each in clusters]
        if source.get("set") == "memorised":
            entries = json.loads((model / "memorised.json").read_text(encoding="utf-8"))
            return [
                Prompt(each["caption"], group or f"x{each['repetitions']}", tuple(each["items"]))
                for each in entries
            ]
        if source.get("set") == "ordinary":
            entries = json.loads((model / "prompts.json").read_text(encoding="utf-8"))["ordinary"]
            return [Prompt(e["caption"], group or "ordinary", (), e["duration"]) for e in entries]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"prompts {dict(source)} cannot be read: {error}") from error
    raise InputError(f"prompts {dict(source)}: give list, file, duplicates, or set = memorised or ordinary")
