"""`--engine` and `--ray-address`: where long work is done, for every command that can do it on Ray."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def engine_options(does: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Both options of a command; `does` says what the engine does, such as "decodes and embeds"."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        engine = click.option(
            "--engine",
            type=click.Choice(["local", "ray"]),
            default="local",
            show_default=True,
            help=f"What {does}: this machine, or a Ray cluster.",
        )
        address = click.option(
            "--ray-address",
            metavar="ADDRESS",
            help="Join this cluster.  [default: start Ray on this machine]",
        )
        return engine(address(command))

    return decorate
