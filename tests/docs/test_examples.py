"""What the pages show can be typed: commands with their options, names of the package, and the citation."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from command_line import commands
from pages import LIVING, PAGES, README, ROOT, blocks

import unheard
from unheard.backbones.hub import ASSETS
from unheard.backbones.texts import unknown_words, words_of_tokenizer
from unheard.cli import main


def code(path: Path) -> Iterator[str]:
    """The code blocks of a page."""
    return (token.content for token in blocks(path) if token.type in ("fence", "code_block"))


def shown_commands(path: Path) -> list[str]:
    """Each `unheard ...` line of the code blocks, without its prompt, its comment, and where it goes on."""
    text = "\n".join(code(path)).replace("\\\n", " ")
    lines = re.findall(r"^(?:\$ |.*&& )?(unheard [^#\n]*)", text, re.MULTILINE)
    return [re.split(r" (?:\|\||>) ", line)[0].strip() for line in lines]


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


WORDS = words_of_tokenizer(ASSETS / "tiny" / "tokenizer") or frozenset()


def prompts_of(line: str) -> list[str]:
    """The prompts that a shown command gives to the bundled model."""
    if "COMMAND" in line or "..." in line or not line.startswith("unheard generate"):
        return []
    values = parse(line)
    given = {name: value for name, value in values.items() if isinstance(value, str | list | tuple)}
    return [*given.get("prompts", [])] if given.get("model", "tiny") == "tiny" else []


def prompts_in_python(path: Path) -> Iterator[str]:
    """The prompts that blocks of Python give to `generate`, on pages that are not of one large model."""
    for block in code(path):
        with suppress(SyntaxError):
            for node in ast.walk(ast.parse(block)):
                called = node.func if isinstance(node, ast.Call) else None
                if isinstance(called, ast.Attribute) and called.attr == "generate" and node.args:
                    yield from (
                        part.value
                        for part in ast.walk(node.args[0])
                        if isinstance(part, ast.Constant) and isinstance(part.value, str)
                    )


@pytest.mark.parametrize("path", LIVING, ids=lambda path: path.name)
def test_examples_of_the_bundled_model_use_what_it_knows(path: Path) -> None:
    shown = [prompt for line in shown_commands(path) for prompt in prompts_of(line)]
    if path.parent.name != "models":
        shown += prompts_in_python(path)
    assert {prompt: unknown_words(WORDS, prompt) for prompt in shown if unknown_words(WORDS, prompt)} == {}


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_examples_of_help_use_what_the_bundled_model_knows(name: str) -> None:
    text = dict(commands())[name].help or ""
    lines = re.findall(r"^ *(unheard generate [^#\n]*)", text.replace("\\\n", " "), re.MULTILINE)
    prompts = [prompt for line in lines for prompt in prompts_of(line)]
    assert [prompt for prompt in prompts if unknown_words(WORDS, prompt)] == []
    assert prompts or name != "unheard generate"


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
