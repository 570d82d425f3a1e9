"""What is left of a command's work when Ctrl-C ends it, in the words that tell of it."""

from __future__ import annotations

import click

SAVES = "unheard.saves"
"""Where the context of a command says that what it finishes is saved at once."""


def saves_what_is_finished() -> None:
    """From now on, what the running command finishes is on the disk, whatever ends the command."""
    click.get_current_context().meta[SAVES] = True


def left_of(context: click.Context) -> str:
    """What an interrupted command leaves."""
    return "what was finished is saved" if context.meta.get(SAVES) else "nothing was saved"
