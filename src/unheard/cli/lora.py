"""`--lora`: a file, and perhaps the weight of its change behind a colon."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click


def read_loras(
    context: click.Context, parameter: click.Parameter, given: Sequence[str]
) -> tuple[tuple[str, float], ...] | None:
    """Files with their weights, or None where none was given."""
    return tuple(_read_lora(each) for each in given) or None


def _read_lora(given: str) -> tuple[str, float]:
    path, colon, weight = given.rpartition(":")
    if colon and not os.path.exists(given):  # a file may have a colon in its name
        try:
            return path, float(weight)
        except ValueError:
            pass
    return given, 1.0
