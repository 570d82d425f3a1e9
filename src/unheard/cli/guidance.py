"""Which guidance the options of `generate` ask for: a kind, settings of one, a preset, or a record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import click

from unheard.cli.options import SETTINGS
from unheard.generation.defaults import AUTO
from unheard.generation.preset import Preset
from unheard.guidance import GUIDANCES, NONE, Guidance, describe_guidance, read_guidance
from unheard.guidance.gated import laid_over


def given_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings among the options that were given."""
    return {name: given[name] for name in SETTINGS if given[name] is not None}


def chosen_guidance(
    given: Mapping[str, Any],
    preset: Preset,
    recorded: Mapping[str, Any] | None,
    named: Callable[[str], Guidance | None],
) -> Guidance | None:
    """The guidance that is asked for, with the settings that were given.

    `--no-guidance` comes first, then `--guidance`, the preset, the record, and the model's own. A kind other
    than these have comes with the model's settings, or the published ones. Settings alone choose the first
    kind that has them, unless a preset has chosen.

    Args:
        given: every option of `generate` by its name, None where it was not given.
        preset: see `unheard.generation.preset`.
        recorded: what a record says of its guidance, None for nothing.
        named: the guidance of a kind with the model's settings, "auto" for the model's own.

    Raises:
        click.UsageError: settings without guidance, or of another kind than the chosen one.
        InputError: a value that cannot be used.
    """
    settings, kind = given_settings(given), given["guidance"]
    if given["no_guidance"] or kind == NONE:
        if settings:
            without = "--no-guidance" if given["no_guidance"] else f"--guidance {NONE}"
            raise click.UsageError(
                f"{without} leaves nothing for {_option(next(iter(settings)))} to do: give one of the two"
            )
        return None
    if preset.has_guidance:
        base = preset.guidance
    else:
        base = named(AUTO) if recorded is None else read_guidance(recorded)
    if kind is None and settings and not preset.has_guidance and not _has(base, settings):
        kind = next((name for name, of in GUIDANCES.items() if _has(of, settings)), None)
        kind = _kinds_with(next(iter(settings)))[0] if kind is None else kind
    if kind is not None and (base is None or base.kind != kind):
        base = named(kind)
    for name in settings:
        if not _has(base, [name]):
            chosen = NONE if base is None else base.kind
            raise click.UsageError(
                f"{_option(name)} belongs to --guidance {' or '.join(_kinds_with(name))}, not to {chosen}"
            )
    return read_guidance(laid_over(describe_guidance(base), settings))


def _has(kind: Guidance | type[Guidance] | None, settings: Any) -> bool:
    return kind is not None and {*settings} <= {field.name for field in fields(kind)}


def _kinds_with(setting: str) -> list[str]:
    return [name for name, kind in GUIDANCES.items() if _has(kind, [setting])]


def _option(setting: str) -> str:
    return f"--{setting.replace('_', '-')}"
