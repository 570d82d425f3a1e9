"""The settings of an experiment file: small differences from a base, under every model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from unheard.common.checks import check_keys, require_between
from unheard.diffusion.settings import Sampling
from unheard.errors import InputError, about
from unheard.evaluation.space import SETTING_KEYS, check_space
from unheard.generation.defaults import AUTO, Defaults
from unheard.generation.preset import read_preset
from unheard.guidance import describe_guidance, read_guidance
from unheard.guidance.amg.settings import AMG
from unheard.guidance.gated import laid_over

Setting = dict[str, Any]
"""Options of `Model.request` by name, "model" and `SHARE`; guidance a table, or absent for the model's own.
"""

PRESET = "preset"
"""The key of a setting that names a preset's file; its other keys come before what stands there."""
SHARE = "recordings"
"""The key of a setting that says what share of the recordings its guidance is given."""
_SAMPLING = tuple(part.name for part in fields(Sampling))


def read_settings(
    table: Mapping[str, Any], path: str | Path
) -> tuple[dict[str, Setting], dict[str, Setting]]:
    """`settings` and `search` of an experiment file by name, each with its `base` filled in.

    Raises:
        InputError: neither, an unknown key, or a value that cannot be used.
    """
    base = _with_preset(check_table(table.get("base", {}), (*SETTING_KEYS, PRESET), f"{path}, base"), path)
    settings, search = (
        {
            name: _merged(base, difference, path, f"{part}.{name}", keys)
            for name, difference in check_table(table.get(part, {}), None, f"{path}, {part}").items()
        }
        for part, keys in (("settings", (*SETTING_KEYS, PRESET, SHARE, "model")), ("search", SETTING_KEYS))
    )
    if not settings and not search:
        raise InputError(f"{path} has no settings: give at least one, such as [settings.none]")
    for name, setting in settings.items():
        _check_values(setting, f"{path}, settings.{name}")
    for name, space in search.items():
        check_space(space, f"{path}, search.{name}")
    return settings, search


def under_models(
    settings: Mapping[str, Setting], baseline: str, models: Sequence[str]
) -> tuple[dict[str, Setting], dict[str, str]]:
    """Every setting under every model, but for one that names its own; and the baselines, of the same model.

    With several models, a setting is called after its model as well.
    """

    def under(name: str, model: str) -> str:
        several = len(models) > 1 and "model" not in settings[name]
        return f"{name} ({Path(model).name})" if several else name

    found, baselines = {}, {}
    for name, setting in settings.items():
        for model in [setting["model"]] if "model" in setting else models:
            called = under(name, model)
            if called in found:
                raise InputError(f"two settings are called {called!r}: give their models other names")
            found[called] = {**setting, "model": model}
            baselines[called] = under(baseline, models[0] if "model" in setting else model)
    return found, baselines


def as_options(setting: Mapping[str, Any], defaults: Defaults) -> dict[str, Any]:
    """What `Model.request` is asked for under a setting: its guidance is read, or the model's own."""
    options = {key: value for key, value in setting.items() if key not in ("model", SHARE)}
    table = options.get("guidance")
    if table is None:
        options["guidance"] = defaults.guidance
    elif "kind" in table:
        options["guidance"] = read_guidance(table)
    else:
        options["guidance"] = read_guidance(laid_over(describe_guidance(defaults.guidance), table))
    return options


def named_alone(setting: Mapping[str, Any]) -> str | None:
    """The kind of guidance, where a setting says no more of it: then a calibration's thresholds count."""
    table = setting.get("guidance")
    if table is None:
        return AUTO
    kind: str | None = table["kind"] if set(table) == {"kind"} else None
    return kind


def check_table(given: Any, keys: Sequence[str] | None, where: str) -> Mapping[str, Any]:
    """A table of the file with none but these keys; with any, if they are None."""
    if not isinstance(given, Mapping):
        raise InputError(f"{where} is {given!r}: give a table")
    if keys is not None:
        check_keys(given, keys, where)
    return given


def _merged(
    base: Mapping[str, Any], difference: Any, path: str | Path, name: str, keys: Sequence[str]
) -> Setting:
    """A setting: the base, and what differs; of guidance of the same kind only the keys that differ."""
    where = f"{path}, {name}"
    difference = _with_preset(check_table(difference, keys, where), path)
    merged = {**base, **difference}
    ours, theirs = (_table(part.get("guidance"), where) for part in (base, difference))
    if ours is not None and theirs is not None:
        same = "kind" not in theirs or theirs["kind"] == ours.get("kind", AMG.kind)
        merged["guidance"] = laid_over(ours, theirs) if same else theirs
    elif ours is not None or theirs is not None:
        merged["guidance"] = ours if theirs is None else theirs
    return merged


def _with_preset(table: Mapping[str, Any], path: str | Path) -> Mapping[str, Any]:
    """A setting of the experiment at `path`, with what its preset says in the place of the preset's name."""
    if PRESET not in table:
        return table
    if not isinstance(table[PRESET], str):
        raise InputError(f"preset is {table[PRESET]!r}: give the name of a file")
    preset = read_preset(Path(path).parent / table[PRESET])
    guidance = {"guidance": describe_guidance(preset.guidance)} if preset.has_guidance else {}
    return {**preset.options, **guidance, **{key: value for key, value in table.items() if key != PRESET}}


def _table(guidance: Any, where: str) -> dict[str, Any] | None:
    if guidance is not None and not isinstance(guidance, str | dict):
        raise InputError(f"{where}: guidance is {guidance!r}: give a kind, or a table with a kind")
    return {"kind": guidance} if isinstance(guidance, str) else guidance


def _check_values(setting: Setting, where: str) -> None:
    """Find out before any work whether a setting can be used."""
    if "model" in setting and not isinstance(setting["model"], str):
        raise InputError(f"{where}: model is {setting['model']!r}: give a name, a folder or a hub id")
    with about(where):
        require_between(SHARE, setting.get(SHARE, 1.0), 0.0, 1.0)
        Sampling(**{key: value for key, value in setting.items() if key in _SAMPLING})
        if setting.get("guidance", {}).get("kind"):
            read_guidance(setting["guidance"])
