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


def all_commands(group: click.Group = main, name: str = "unheard") -> Iterator[tuple[str, click.Command]]:
    for word, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from all_commands(command, f"{name} {word}")
        else:
            yield f"{name} {word}", command


def parse(line: str) -> dict[str, Any]:
    """What the command line makes of a shown command, up to files, which need not be there."""
    _, *words = shlex.split(line)
    command: click.Command = main
    while isinstance(command, click.Group):
        name, *words = words
        command = command.commands[name]
    context = click.Context(command)
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
    for name, _ in all_commands():
        assert any(line.startswith(f"{name} ") or line == name for line in shown), name


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


def test_the_readme_cites_what_the_citation_file_has() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    shown = " ".join(README.read_text(encoding="utf-8").split())
    paper = citation["references"][0]
    authors = [f"{author['family-names']}, {author['given-names']}" for author in paper["authors"]]
    for value in (paper["title"], " and ".join(authors), paper["year"], paper["url"]):
        assert f"= {{{value}}}" in shown
    authors = [f"{{{author['name']}}}" for author in citation["authors"]]
    for value in (citation["title"], " and ".join(authors), unheard.__version__, citation["license"]):
        assert f"= {{{value}}}" in shown
    assert str(citation["version"]) == unheard.__version__
