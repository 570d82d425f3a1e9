"""The options of a script that parses its command line with `argparse`, and their defaults."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from unheard.cli.published.readings import Read

TYPES = {"int": int, "float": float}


@dataclass(frozen=True)
class Option:
    """What one `add_argument` asks for.

    Attributes:
        name: of the attribute that has the value.
        spelt: on the command line.
        default: of the option; None where there is none.
        type: that a default in quotes is turned into, as `argparse` does.
    """

    name: str
    spelt: str
    default: ast.expr | None
    type: str

    def converted(self, read: Read) -> Read:
        """The default as the script has it."""
        value = read.value
        if isinstance(value, str) and self.type in TYPES:
            with suppress(ValueError):
                value = TYPES[self.type](value)
        return replace(read, value=value, option=self.spelt)


def options(tree: ast.AST) -> Iterator[Option]:
    """Those of a script."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or called(node) != "add_argument":
            continue
        names = [each.value for each in node.args if isinstance(each, ast.Constant)]
        spelt = [name for name in names if isinstance(name, str)]
        if not spelt:
            continue
        given = {each.arg: each.value for each in node.keywords}
        # As argparse names it: by the first long option, else by the first.
        first = next((name for name in spelt if name.startswith("--")), spelt[0])
        name, kind, action = given.get("dest"), given.get("type"), given.get("action")
        default = given.get("default")
        if default is None and isinstance(action, ast.Constant):
            flags = {"store_true": False, "store_false": True}
            if action.value in flags:
                default = ast.copy_location(ast.Constant(flags[action.value]), node)
        yield Option(
            str(name.value) if isinstance(name, ast.Constant) else first.lstrip("-").replace("-", "_"),
            first,
            default,
            kind.id if isinstance(kind, ast.Name) else "",
        )


def called(call: ast.Call) -> str:
    """The name of what a call calls, without what it is a part of."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
