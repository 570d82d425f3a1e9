"""How long work says what it is at: the one shape of every `progress` argument but that of generation."""

from __future__ import annotations

from typing import Protocol


class Report(Protocol):
    """Called now and then, at the latest with what is finished; `unheard.cli.progress` shows it.

    A `done` lower than before, or another `total`, begins another part of the work, as its `note` says.
    """

    def __call__(self, done: int, total: int | None, note: str = "") -> None:
        """Take what is done.

        Args:
            done: how much, in the units of the work.
            total: how much there is; None while that is not known.
            note: a few words on what is being done, or on what came of it so far.
        """
