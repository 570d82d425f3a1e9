"""The errors a user can meet. Each message is one line: what was wrong, the value, and what to do.

The command line prints the message and leaves with exit code 2; nothing else in the package exits or prints.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

LONGEST = 2_000
"""Characters of a message; what a file holds may be named in it, and a file may hold anything."""


class UnheardError(Exception):
    """Base of all errors raised on purpose."""

    def __str__(self) -> str:
        message = " ".join(super().__str__().splitlines())
        if len(message) <= LONGEST:
            return message
        return f"{message[: LONGEST - 300]} ... {message[-290:]}"  # what to do stands at the end


class InputError(UnheardError, ValueError):
    """A prompt, a duration, a setting or a path that cannot be used."""


class ModelError(UnheardError):
    """A model or an embedder that cannot be loaded (missing, gated, unknown), or that gives no numbers."""


class IndexFileError(UnheardError):
    """A training-set index that is unreadable, malformed, or was made by another embedder."""


class GuidanceError(UnheardError):
    """A step of the guidance that cannot be taken, such as a gradient with a NaN in it."""


class OutOfMemoryError(UnheardError):
    """The device's memory did not suffice; the message says what to lower."""


class RejectedError(UnheardError):
    """A sound is not handed out: every attempt replayed a recording, or every caption leads to one.

    The command line leaves with 3.

    Attributes:
        refused: the sounds that were not handed out, each with its attempts, see
            `unheard.generation.rejection.Refused`.
        sounds: what was finished beside them, where all sounds are handed out at once (`Model.generate`).
    """

    def __init__(self, message: str, refused: Sequence[Any] = (), sounds: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.refused = list(refused)
        self.sounds = list(sounds)


def said(error: Exception) -> str:
    """What an error says; of the system's errors the words, without their number and the file."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


@contextmanager
def about(where: str) -> Iterator[None]:
    """Has the input errors of what is read inside say where it stands, such as in which file.

    Those that say so already stay as they are.
    """
    try:
        yield
    except InputError as error:
        if where in str(error):
            raise
        raise InputError(f"{where}: {error}") from error
