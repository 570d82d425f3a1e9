"""Every command and option is described, and the documentation names none that is not there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import Result
from command_line import commands

import unheard

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
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


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_documented_commands_exist(path: Path) -> None:
    """Every `unheard ...` line in the documentation's code blocks names a command and options that exist."""
    blocks = "\n".join(
        re.findall(r"^```\w*\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    )
    for line in re.findall(r"^(?:.*&& )?(unheard [^#\n]*)", blocks.replace("\\\n", " "), re.MULTILINE):
        words = shlex.split(line)
        name = max((name for name in NAMES if words[: len(name.split())] == name.split()), key=len)
        known = {option for parameter in dict(COMMANDS)[name].params for option in parameter.opts}
        assert name != "unheard" or "COMMAND" in words, line
        assert {word for word in words if word.startswith("--")} <= known | {"--help"}, line


def test_every_command_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, command in COMMANDS:
        assert isinstance(command, click.Group) or name in readme


def test_help_and_version(run: Callable[..., Result]) -> None:
    assert run("--help").exit_code == run("generate", "-h").exit_code == 0
    assert run("--version").stdout == f"unheard, version {unheard.__version__}\n"
    assert run().exit_code == 2
