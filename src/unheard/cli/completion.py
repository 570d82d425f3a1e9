"""What a shell is offered for values that no list of choices has: models by name, and files."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem


def models(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """The known models that begin so; files and folders where none does."""
    from unheard.backbones.hub import KNOWN_MODELS

    known = [CompletionItem(each.name, help=each.summary) for each in KNOWN_MODELS]
    return [each for each in known if each.value.startswith(begun)] or files(context, parameter, begun)


def files(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Files and folders, which the shell itself lists."""
    return [CompletionItem(begun, type="file")]
