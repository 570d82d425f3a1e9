"""Every command and option is described, and an example names none that is not there."""

from __future__ import annotations

import re
from collections.abc import Callable

import click
import pytest
from click.testing import Result
from command_line import commands

import unheard

COMMANDS = list(commands())
NAMES = [name for name, _ in COMMANDS]


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=NAMES)
def test_every_command_and_option_has_help(name: str, command: click.Command) -> None:
    assert command.help, f"{name} has no help"
    assert re.search(r"\bExamples?:\n\s+unheard ", command.help), f"{name} shows no example"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts[0]} has no help"


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=NAMES)
def test_examples_name_options_that_exist(name: str, command: click.Command) -> None:
    known = {option for _, each in COMMANDS for parameter in each.params for option in parameter.opts}
    assert set(re.findall(r"--[a-z][a-z-]*", command.help or "")) <= known


def test_help_and_version(run: Callable[..., Result]) -> None:
    assert run("--help").exit_code == run("generate", "-h").exit_code == 0
    assert run("--version").stdout == f"unheard, version {unheard.__version__}\n"
    assert run().exit_code == 2
