"""What the pages show can be typed: commands with their options, names of the package, and the citation."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from command_line import commands
from pages import LIVING, PAGES, README, ROOT, blocks

import unheard
from unheard.cli import main


def code(path: Path) -> Iterator[str]:
    """The code blocks of a page."""
    return (token.content for token in blocks(path) if token.type in ("fence", "code_block"))


def shown_commands(path: Path) -> list[str]:
    """Each `unheard ...` line of the code blocks, without its prompt and its comment."""
    text = "\n".join(code(path)).replace("\\\n", " ")
    return [line.strip() for line in re.findall(r"^(?:\$ |.*&& )?(unheard [^#\n]*)", text, re.MULTILINE)]


def parse(line: str) -> dict[str, Any]:
    """What the command line makes of a shown command, up to files, which need not be there."""
    _, *words = shlex.split(line)
    command: click.Command = main
    context = click.Context(command, **command.context_settings)
    while isinstance(command, click.Group):
        name, *words = words
        command = command.commands[name]
        context = click.Context(command, parent=context, **command.context_settings)
    values, rest, _ = command.make_parser(context).parse_args(words)
    assert not rest, line
    for parameter in command.params:
        given = isinstance(values.get(parameter.name), str | list | tuple)
        if given and not isinstance(parameter.type, click.Path | click.File):
            parameter.type_cast_value(context, values[parameter.name])
    return values


def test_an_option_that_is_not_there_is_noticed() -> None:
    assert parse("unheard generate 'A bell' --seed 3")["seed"] == "3"
    with pytest.raises(click.NoSuchOption):
        parse("unheard generate 'A bell' --sead 3")
    with pytest.raises(click.BadParameter):
        parse("unheard generate 'A bell' --seed three")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_shown_commands_can_be_typed(path: Path) -> None:
    for line in shown_commands(path):
        if "COMMAND" not in line and "..." not in line:
            parse(line)


def test_the_readme_shows_every_command() -> None:
    shown = shown_commands(README)
    for name, command in commands():
        assert isinstance(command, click.Group) or any(f"{line} ".startswith(f"{name} ") for line in shown)


@pytest.mark.parametrize("path", LIVING, ids=lambda path: path.name)
def test_named_parts_of_the_package_are_there(path: Path) -> None:
    for name in set(re.findall(r"\bunheard(?:\.[A-Za-z_]\w*)+", path.read_text(encoding="utf-8"))):
        if name.endswith(".json"):
            continue
        thing: Any = unheard
        parts = name.split(".")[1:]
        for depth, part in enumerate(parts, start=1):
            try:
                thing = getattr(thing, part)
            except AttributeError:
                thing = import_module(".".join(["unheard", *parts[:depth]]))


@pytest.mark.parametrize("path", LIVING, ids=lambda path: path.name)
def test_named_files_are_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for name in re.findall(r"(?<![\w/])(?:benchmarks|experiments|lab|src|tests)/[\w./-]*\w", text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"\bpython -m ((?:benchmarks|lab)[\w.]*)", text):
        module = ROOT / name.replace(".", "/")
        assert module.is_dir() or module.with_suffix(".py").is_file(), name


def test_the_readme_cites_what_the_citation_file_has() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    shown = " ".join(README.read_text(encoding="utf-8").split())
    paper = citation["references"][0]
    authors = [f"{author['family-names']}, {author['given-names']}" for author in paper["authors"]]
    for value in (paper["title"], " and ".join(authors), paper["year"], paper["url"]):
        assert f"= {{{value}}}" in shown
    authors = [f"{{{author['name']}}}" for author in citation["authors"]]
    for value in (citation["title"], " and ".join(authors), citation["license"]):
        assert f"= {{{value}}}" in shown
