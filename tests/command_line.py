"""The program as a user runs it: in this process, or as one of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from click.testing import CliRunner, Result
from ctrl_c import heeding

import unheard
from unheard.cli import main


def run(*arguments: object) -> Result:
    """Run it in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def start(arguments: list[str], folder: Path, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """Run it as a process in a folder, which Ctrl-C interrupts."""
    paths = [str(Path(unheard.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    return subprocess.Popen(
        [sys.executable, "-m", "unheard", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "80", "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        **heeding(),
    )


def refused(result: Result, message: str) -> None:
    """One line on stderr, exit code 2, nothing else."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("unheard: ")
    assert re.search(message, result.stderr), result.stderr


def commands(command: click.Command = main, name: str = "unheard") -> Iterator[tuple[str, click.Command]]:
    """Every command by its whole name, groups before what is in them."""
    yield name, command
    if isinstance(command, click.Group):
        for child in command.commands.values():
            yield from commands(child, f"{name} {child.name}")
