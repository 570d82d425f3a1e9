"""What an expression of a script was read as."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Read:
    """A value that was read, and the line where it stands; lists and tables hold `Reading`s.

    `option` is the option of the script that the value is the default of, if it is one.
    """

    value: Any
    line: int
    option: str = ""


@dataclass(frozen=True)
class Unread:
    """An expression that was not read, with the reason if it is another than what it is."""

    expression: str
    line: int
    why: str = ""


Reading = Read | Unread


def unread(node: ast.AST, why: str = "") -> Unread:
    """An expression as it stands in the file; of a statement what it begins with."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        expression = f"def {node.name}({ast.unparse(node.args)})"
    elif isinstance(node, ast.For | ast.AsyncFor | ast.With):
        expression = ast.unparse(node).partition("\n")[0].removesuffix(":")
    else:
        expression = ast.unparse(node)
    return Unread(" ".join(expression.split())[:80], int(getattr(node, "lineno", 0)), why)
