"""The options of `unheard generate` as fields of a form, and which of them a message is about. No Gradio.

The command line makes them from its own options (`unheard.cli.studio`), so that both have the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from unheard.errors import InputError

if TYPE_CHECKING:
    from unheard.generation.request import Request

Shape = Literal["text", "number", "whole", "choice", "switch", "flag", "file"]
"""A switch is on, off, or as the model has it; a flag is on or off."""

PROMPT, SEED, GUIDANCE = "prompt", "seed", "guidance"
"""The first two are always shown; the others lie in a drawer, and the third says which of them count."""


@dataclass(frozen=True)
class Field:
    """One value that can be given.

    Attributes:
        name: of the option, as `threshold`.
        heading: what it stands under.
        help: what it means, with its default.
        shape: how it is given.
        convert: the value as the command takes it; raises InputError.
        choices: the words of a choice.
        default: what holds where nothing is given, as it is known.
        kinds: the kinds of guidance that have it as a setting; none for what is no setting of a guidance.
    """

    name: str
    heading: str
    help: str
    shape: Shape
    convert: Callable[[Any], Any]
    choices: tuple[str, ...] = ()
    default: str = ""
    kinds: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What a person reads over it."""
        return self.name.replace("_", " ").capitalize()


@dataclass(frozen=True)
class Form:
    """What can be asked for.

    Attributes:
        fields: by their names, in the command's order.
        own: the kind of guidance that is taken where none is chosen; None where that is none.
        request: prompts and what was given, by the fields' names, None for what was not, to a request; raises
            InputError in one line.
        recorded: a record of a sound, as `unheard.generation.provenance` reads it, to what is to be given for
            the same sound, by the fields' names, "" for what is not; raises InputError.
        meant: what to say of an option that is none, after its name: what it is called here, and what there
            is.
    """

    fields: Mapping[str, Field]
    own: str | None
    request: Callable[[Sequence[str], Mapping[str, Any]], Request]
    recorded: Callable[[Mapping[str, Any]], dict[str, Any]]
    meant: Callable[[str], str]

    def read(self, prompt: str, given: Mapping[str, Any]) -> tuple[Request, dict[str, Any]]:
        """What is asked for, of values as a browser or a client sends them; an empty one was not given.

        Args:
            prompt: one a line.
            given: by the fields' names.

        Raises:
            FieldError: a value that cannot be used, with the field that it stands in.
        """
        given = {name: value for name, value in given.items() if self.counts(name, given)}
        prompts = [line.strip() for line in prompt.splitlines() if line.strip()]
        values: dict[str, Any] = dict.fromkeys(self.fields)
        for name, value in given.items():
            if name not in self.fields:
                raise FieldError(f"there is no option {name!r}: {self.meant(name)}", PROMPT)
            try:
                values[name] = None if is_empty(value) else self.fields[name].convert(value)
            except InputError as error:
                raise FieldError(str(error), name) from error
        if not prompts:
            raise FieldError("there is no prompt: say what to play", PROMPT)
        try:
            return self.request(prompts, values), values
        except InputError as error:
            raise FieldError(str(error), self.named_in(str(error), values)) from error

    def counts(self, name: str, given: Mapping[str, Any]) -> bool:
        """Whether a field counts beside others: a setting of a kind that is not chosen does not."""
        kinds = self.fields[name].kinds if name in self.fields else ()
        return not kinds or (given.get(GUIDANCE) or self.own) in kinds

    def named_in(self, message: str, values: Mapping[str, Any]) -> str:
        """The field that a message is about.

        The message begins with its name, or names its option, or says its name or its file further on.
        """
        begun = re.match(r"(?:the )?([\w ]+?) (?:is|\()", message)
        if begun is not None and (name := str(begun[1]).replace(" ", "_")) in self.fields:
            return name
        for option in re.findall(r"--([a-z][a-z-]*)", message):
            if (name := str(option).replace("-", "_")) in self.fields:
                return name
        for name, value in values.items():
            of_file = self.fields[name].shape == "file"
            if value is not None and (str(value) if of_file else name.replace("_", " ")) in message:
                return name
        return PROMPT


class FieldError(InputError):
    """A value that cannot be used; `field` is the name of the one that it was given in."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


def is_empty(value: Any) -> bool:
    """Whether nothing was given: an empty field of a form, or a None of a client."""
    return value is None or value in ("", [])
