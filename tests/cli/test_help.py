"""Every command and option is described, and an example names none that is not there."""

from __future__ import annotations

import re
from collections.abc import Callable

import click
import pytest
from click.testing import Result
from command_line import commands
from command_line import run as run_here

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


@pytest.mark.parametrize("name", NAMES)
def test_lists_have_whole_sentences_and_no_broken_words(name: str) -> None:
    shown = run_here(*name.split()[1:], "--help").stdout
    assert not re.search(r"\w\.\.\.", shown.partition("\nCommands:")[2])
    assert not re.search(r"\w- ", shown)


def test_help_and_version(run: Callable[..., Result]) -> None:
    assert run("--help").exit_code == run("generate", "-h").exit_code == 0
    assert run("--version").stdout == f"unheard, version {unheard.__version__}\n"
    assert run().exit_code == 2
