"""`unheard models`: the models that are known to work."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import click

from unheard.cli.terminal import say, say_json
from unheard.common.checks import instead
from unheard.errors import InputError

WIDTH = 80


@click.command()
@click.argument("name", metavar="[MODEL]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the models as one JSON object.")
def models(name: str | None, as_json: bool) -> None:
    """List the models that are known to work, and what each needs; with MODEL, what that one can play.

    A folder that a diffusers pipeline of their kind was saved to can be loaded as well. So can one with a
    model_config.json and a checkpoint of stable-audio-tools, as creators publish Stable Audio models.

    \b
    Examples:
      unheard models
      unheard models tiny
      unheard generate "A slow piano" --model tiny
      unheard generate "A bell" --model ./Foundation-1/ --no-guidance
    """
    from unheard.backbones.hub import KNOWN_MODELS, find_local

    asked = [known for known in KNOWN_MODELS if name in (None, known.name)]
    if not asked:
        raise InputError(f"unknown model {name!r}: {instead(name, [known.name for known in KNOWN_MODELS])}")
    rows = [{**asdict(known), "here": find_local(known.name) is not None} for known in asked]
    if name is not None:
        rows[0]["words"] = _words(name)
    if as_json:
        say_json({"models": rows})
    else:
        for row in rows:
            say(*_about(row, whole=name is not None))


def _about(row: dict[str, Any], whole: bool) -> Iterator[str]:
    """What is known of a model, in lines; with `whole` what it can be asked for."""
    yield f"{row['name']}  {'(on this machine)' if row['here'] else '(not downloaded)'}"
    yield f"  {row['summary']}"
    yield f"  licence: {row['licence']}{'' if row['url'] is None else ', ' + row['url']}"
    yield f"  needs: {row['needs']}"
    if row["distilled"]:
        yield "  distilled: runs at guidance scale 1, so the detour works, and AMG's c1 and c2 do not"
    if whole:
        yield from _wrapped("plays", row["plays"])
        yield from _wrapped("knows the words", row["words"])


def _wrapped(what: str, things: Sequence[str]) -> list[str]:
    if not things:
        return []
    text = f"{what}: {', '.join(things)}"
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")


def _words(name: str) -> list[str]:
    """The words that a model's tokenizer has whole, in small letters; none where it spells words in parts."""
    from unheard.backbones.hub import find_local
    from unheard.backbones.texts import words_of_tokenizer

    folder = find_local(name)
    words = None if folder is None else words_of_tokenizer(folder / "tokenizer")
    return sorted({word.lower() for word in words or ()})
