"""The names that a statement of a script binds, and what to.

A table that is changed in place is bound to another from there on: `table["seed"] = 2` is the assignment of
`{**table, "seed": 2}`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

CHANGES = (
    "append", "clear", "extend", "insert", "pop", "popitem", "remove", "reverse", "setdefault", "sort",
)  # fmt: skip
"""Methods that change a list or a table in a way that is not followed."""


def bound(node: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
    """The names that a node binds, with the expression where it is a plain assignment of one."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _assigned(target, node.value)
    elif isinstance(node, ast.AnnAssign):
        if node.value is not None:
            yield from _assigned(node.target, node.value)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        every = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        for argument in (*every, node.args.vararg, node.args.kwarg):
            if argument is not None:
                yield argument.arg, None
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return  # of an assignment, or below
    elif isinstance(node, ast.Call | ast.Delete | ast.AugAssign):
        yield from _changed(node)
    elif isinstance(node, ast.NamedExpr | ast.For | ast.AsyncFor | ast.comprehension):
        yield from ((name, None) for name in _names(node.target))
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        yield from ((name, None) for name in _names(node.optional_vars))


def _assigned(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr | None]]:
    """Names of a target; `a, b = 1, 2` is two assignments."""
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
        starred = any(isinstance(each, ast.Starred) for each in (*target.elts, *value.elts))
        if not starred and len(target.elts) == len(value.elts):
            for each, of_it in zip(target.elts, value.elts, strict=True):
                yield from _assigned(each, of_it)
        else:
            yield from ((name, None) for name in _names(target))
    elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
        yield target.value.id, _merged(target, target.value.id, [(target.slice, value)])
    else:  # of an object: what it is a part of is no longer certain
        yield from ((name, None) for name in _names(target))


def _changed(node: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
    """The name of a list or a table that is changed in place, with the table that it is from there on."""
    if isinstance(node, ast.Delete):
        yield from ((name, None) for each in node.targets for name in _names(each))
    elif isinstance(node, ast.AugAssign):
        if isinstance(node.target, ast.Name) and isinstance(node.op, ast.BitOr):
            yield node.target.id, _merged(node.target, node.target.id, [(None, node.value)])
        else:
            yield from ((name, None) for name in _names(node.target))
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
    ):
        if node.func.attr == "update":
            yield node.func.value.id, _merged(node.func.value, node.func.value.id, entries(node))
        elif node.func.attr in CHANGES:
            yield node.func.value.id, None


def entries(call: ast.Call) -> list[tuple[ast.expr | None, ast.expr]]:
    """What `dict(table, key=value)` or `table.update(...)` puts into a table; a table itself has no key."""
    tables: list[tuple[ast.expr | None, ast.expr]] = [(None, each) for each in call.args]
    return tables + [
        (None if each.arg is None else ast.Constant(each.arg), each.value) for each in call.keywords
    ]


def _merged(at: ast.expr, name: str, changes: Sequence[tuple[ast.expr | None, ast.expr]]) -> ast.expr:
    """`{**name, key: value, ...}`: the table of that name until there, and what becomes of it."""
    before = ast.copy_location(ast.Name(name, ast.Load()), at)
    keys, values = [None, *(key for key, _ in changes)], [before, *(value for _, value in changes)]
    return ast.copy_location(ast.Dict(keys, values), at)


def _names(target: ast.AST) -> Iterator[str]:
    yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))
