"""Options made from the fields of settings, and help under headings."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Literal

import click
import pytest
from click.testing import CliRunner, Result

from unheard.cli.generate import generate as command
from unheard.cli.options import CommandWithHeadings, attributes, setting_options, under
from unheard.diffusion.settings import Sampling
from unheard.guidance import GUIDANCES


@dataclass(frozen=True)
class Loud:
    """A kind of settings.

    Attributes:
        gain: how much louder, at least 0,
            in decibels.
        shape: form of the curve (see `unheard.nowhere`); above `gain`.
        soft, hard: how it ends.

    Raises:
        InputError: never.
    """

    gain: float = 1.0
    shape: Literal["round", "square"] = "round"
    soft: bool = True
    hard: int = 3


@dataclass(frozen=True)
class Quiet:
    """Another kind.

    Attributes:
        gain: how much quieter.
    """

    gain: float = 1.0


@click.command(cls=CommandWithHeadings)
@under("First")("--one", help="Of the first.")
@setting_options(under("Second"), {"loud": Loud, "quiet": Quiet})
@click.option("--three", help="Of none.")
def toy(**given: object) -> None:
    click.echo(json.dumps(given, sort_keys=True))


def test_what_a_docstring_says_of_its_fields() -> None:
    assert attributes(Loud) == {
        "gain": "how much louder, at least 0, in decibels.",
        "shape": "form of the curve; above gain.",
        "soft": "how it ends.",
        "hard": "how it ends.",
    }


def test_no_setting_goes_without_a_word() -> None:
    for settings in (Sampling, *GUIDANCES.values()):
        assert all(attributes(settings).values()), settings


def test_without_docstrings_the_options_are_there() -> None:
    program = "from unheard.cli import main; main(['generate', '--help'])"
    result = subprocess.run([sys.executable, "-OO", "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "--prompt-weight FLOAT" in result.stdout


def test_types_flags_and_choices_follow_from_the_fields() -> None:
    run = CliRunner()
    none = dict.fromkeys(["one", "gain", "shape", "soft", "hard", "three"])
    assert json.loads(run.invoke(toy, []).stdout) == none
    given = run.invoke(toy, ["--gain", "2", "--shape", "square", "--no-soft", "--hard", "7"]).stdout
    assert json.loads(given) == none | {"gain": 2.0, "shape": "square", "soft": False, "hard": 7}
    for wrong in ("--gain loud", "--shape flat", "--hard 1.5"):
        assert run.invoke(toy, wrong.split()).exit_code == 2


def test_help_under_headings_in_the_order_they_come() -> None:
    text = CliRunner().invoke(toy, ["--help"]).stdout
    assert re.findall(r"^(\w+):", text.partition("\n\n")[2], re.MULTILINE) == ["First", "Second", "Help"]
    words = " ".join(text.split())
    assert "[loud, quiet] How much louder, at least 0, in decibels. [default: the model's]" in words
    assert "--soft / --no-soft [loud] How it ends." in words
    assert "--shape [round|square]" in words


@pytest.mark.parametrize(
    ("kind", "settings"), [*((kind, GUIDANCES[kind]) for kind in GUIDANCES), ("", Sampling)]
)
def test_every_setting_of_every_kind_is_an_option(kind: str, settings: type) -> None:
    options = {parameter.name: parameter for parameter in command.params}
    for field in fields(settings):
        option = options[field.name]
        assert isinstance(option, click.Option)
        assert kind in re.findall(r"[\w-]+", (option.help or "").partition("]")[0]) or not kind
        assert "see" not in (option.help or "")


def test_no_option_is_there_twice(generate: Callable[..., Result]) -> None:
    spelt = Counter(name for parameter in command.params for name in parameter.opts)
    assert max(spelt.values()) == 1
