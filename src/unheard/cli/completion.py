"""What a shell is offered for values that no list of choices has, by the word that the help has for them."""

from __future__ import annotations

import re
from collections.abc import Callable

import click
from click import shell_completion
from click.shell_completion import CompletionItem


@shell_completion.add_completion_class
class FishComplete(shell_completion.FishComplete):
    """fish, with names and their help whole: click's own script cuts both at the first comma."""

    source_template = shell_completion.FishComplete.source_template.replace(
        'string split ","', 'string split --max 1 ","'
    )


def models(begun: str) -> list[CompletionItem]:
    """The known models that begin so; files and folders where none does."""
    from unheard.backbones.hub import KNOWN_MODELS

    known = [CompletionItem(each.name, help=each.summary) for each in KNOWN_MODELS]
    return [each for each in known if each.value.startswith(begun)] or files(begun)


def files(begun: str) -> list[CompletionItem]:
    """Files and folders, which the shell itself lists."""
    return [CompletionItem(begun, type="file")]


def devices(begun: str) -> list[CompletionItem]:
    """Where a model can run."""
    known = ("auto", "cpu", "cuda", "mps")
    return [CompletionItem(each) for each in known if each.startswith(begun)]


OFFERED: dict[str, Callable[[str], list[CompletionItem]]] = {
    "MODEL": models,
    "DEVICE": devices,
    **dict.fromkeys(
        ("FILE", "PATH", "FOLDER", "DIR", "JSON", "INDEX", "NAME", "SOUNDS", "SOURCES", "SCRIPT",
         "EXPERIMENT", "BEFORE", "AFTER"),
        files,
    ),
}  # fmt: skip
"""By the word that the help has for a value; an embedder's NAME may be a folder's."""


class Offered(click.types.StringParamType):
    """Text for which a shell is offered something."""

    def __init__(self, offer: Callable[[str], list[CompletionItem]]) -> None:
        self.offer = offer

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return self.offer(incomplete)


def word(parameter: click.Parameter) -> str:
    """What the help calls the value of a parameter, such as FILE of FILE[:WEIGHT]."""
    called = parameter.metavar or (parameter.name or "" if isinstance(parameter, click.Argument) else "TEXT")
    found = re.search(r"\w+", called)
    return found.group().upper() if found else ""


def complete(command: click.Command) -> None:
    """Have a shell complete the parameters of a command, and of those in it."""
    for parameter in command.params:
        if type(parameter.type) is click.types.StringParamType and (offer := OFFERED.get(word(parameter))):
            parameter.type = Offered(offer)
    if isinstance(command, click.Group):
        for each in command.commands.values():
            complete(each)
