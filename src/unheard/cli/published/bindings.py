"""What the names of a script stand for, as far as it is certain which binding holds where one is used."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from unheard.cli.published.assignments import bound, entries
from unheard.cli.published.options import Option, called, options
from unheard.cli.published.readings import Read, Reading, Unread, unread

DEEPEST = 50  # names that lead to names
LONGEST_LIST = 1000
LONGEST_TEXT = 10_000
LARGEST = 1e100  # number that is calculated with
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip


@dataclass(frozen=True)
class Where:
    """Where a node stands: its function, and the blocks around it that may not run, or run often.

    A block is known by its statement's identity and its name there, and says whether it is a loop's.
    """

    scope: ast.AST
    blocks: tuple[tuple[int, str, bool], ...]


@dataclass(frozen=True)
class Binding:
    """What a name is bound to: an expression, or None for what is no assignment of one."""

    value: ast.expr | None
    node: ast.AST
    where: Where

    @property
    def line(self) -> int:
        return int(getattr(self.node, "lineno", 0))


@dataclass
class Bindings:
    """The names of a module, by function, and the values that are certain."""

    tree: ast.Module
    _of: dict[tuple[int, str], list[Binding]] = field(default_factory=dict)
    _parents: dict[int, ast.AST] = field(default_factory=dict)
    _places: dict[int, Where] = field(default_factory=dict)
    _aliases: dict[str, str] = field(default_factory=dict)
    _options: tuple[Option, ...] = ()
    _known: dict[int, Reading] = field(default_factory=dict)
    imports: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        imported: list[str] = []
        for node, where in walk(self.tree, Where(self.tree, ())):
            self._places[id(node)] = where
            for child in ast.iter_child_nodes(node):
                self._parents[id(child)] = node
            if isinstance(node, ast.Import):
                imported += [alias.name.split(".")[0] for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                imported.append((node.module or "").split(".")[0])
                self._aliases |= {alias.asname or alias.name: alias.name for alias in node.names}
            for name, value in bound(node):
                inner = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                scope = Where(node, ()) if inner else where
                for made in () if value is None else ast.walk(value):
                    self._places.setdefault(id(made), where)
                self._of.setdefault((id(scope.scope), name), []).append(Binding(value, node, scope))
        self.imports = tuple(dict.fromkeys(filter(None, imported)))
        self._options = tuple(options(self.tree))

    def calls(self, functions: tuple[str, ...]) -> Iterator[tuple[str, ast.Call]]:
        """The calls of some functions, whatever they were imported as."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                name = called(node)
                name = self._aliases.get(name, name)
                if name in functions:
                    yield name, node

    def argument(self, call: ast.Call, position: int, name: str) -> Reading | None:
        """One argument of a call."""
        if position < len(call.args):
            return self.value(call.args[position])
        return next((self.value(each.value) for each in call.keywords if each.arg == name), None)

    def arguments(self, call: ast.Call, positions: Sequence[str]) -> dict[str, Reading]:
        """Every argument of a call by name, those of `**table` too; `positions` are the names in order."""
        found: dict[str, Reading] = {}
        for position, node in enumerate(call.args):
            if isinstance(node, ast.Starred) or position >= len(positions):
                found[f"argument {position + 1}"] = unread(node)
                break
            found[positions[position]] = self.value(node)
        for keyword in call.keywords:
            value = self.value(keyword.value)
            if keyword.arg is not None:
                found[keyword.arg] = value
            elif isinstance(value, Read) and isinstance(value.value, dict):
                found |= value.value
            else:
                found[f"**{ast.unparse(keyword.value)}"] = value
        return found

    def is_set(self, name: str) -> bool:
        """Whether the module itself binds a name."""
        return (id(self.tree), name) in self._of

    def last(self, name: str) -> Reading:
        """What a name of the module is bound to at its end."""
        return self._binding(self._of[id(self.tree), name], None, name, 0)

    def value(self, node: ast.expr, depth: int = 0) -> Reading:
        """What an expression is, as far as it is certain; it is read once."""
        if id(node) not in self._known:
            self._known[id(node)] = self._read(node, depth)
        return self._known[id(node)]

    def _read(self, node: ast.expr, depth: int) -> Reading:
        line = node.lineno
        if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float | None):
            return Read(node.value, line)
        if isinstance(node, ast.Name):
            return self._named(node, depth)
        if isinstance(node, ast.List | ast.Tuple):
            return Read([self.value(each, depth) for each in node.elts], line)
        if isinstance(node, ast.Dict):
            return self._table(node, zip(node.keys, node.values, strict=True), depth)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict":
            return self._table(node, entries(node), depth)
        if isinstance(node, ast.Subscript):
            return self._part(node, depth)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            return self._option(node, depth)
        if isinstance(node, ast.JoinedStr):
            return self._text(node, depth)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            inner = self.value(node.operand, depth)
            if isinstance(inner, Read) and _is_number(inner):
                return Read(-inner.value if isinstance(node.op, ast.USub) else inner.value, line)
        if isinstance(node, ast.BinOp) and (type(node.op) in _ARITHMETIC or isinstance(node.op, ast.BitOr)):
            return self._calculated(node, depth)
        return unread(node)

    def _table(
        self, node: ast.expr, entries: Iterable[tuple[ast.expr | None, ast.expr]], depth: int
    ) -> Reading:
        """A table of keys and values; what has no key is another table, whose entries it takes over."""
        table: dict[str, Reading] = {}
        for key, each in entries:
            reading = self.value(each, depth)
            if key is None and isinstance(reading, Read) and isinstance(reading.value, dict):
                table |= reading.value
            elif isinstance(key, ast.Constant) and isinstance(key.value, str):
                table[key.value] = reading
            else:
                return reading if isinstance(reading, Unread) and key is None else unread(node)
        return Read(table, node.lineno)

    def _part(self, node: ast.Subscript, depth: int) -> Reading:
        """An entry of a table, or of a list."""
        whole, key = self.value(node.value, depth), node.slice
        if isinstance(whole, Read) and isinstance(key, ast.Constant):
            if isinstance(whole.value, dict) and key.value in whole.value:
                found: Reading = whole.value[key.value]
                return found
            if isinstance(whole.value, list) and type(key.value) is int and key.value < len(whole.value):
                found = whole.value[key.value]
                return found
        return unread(node)

    def _option(self, node: ast.Attribute, depth: int) -> Reading:
        """The default of an option, where the name is what `parse_args` gave."""
        assert isinstance(node.value, ast.Name)
        parsed = self._binding_of(node.value)
        if isinstance(parsed, ast.Call) and called(parsed) == "parse_args":
            asked = [each for each in self._options if each.name == node.attr]
            if len(asked) == 1 and asked[0].default is not None:
                read = self.value(asked[0].default, depth + 1)
                return asked[0].converted(read) if isinstance(read, Read) else read
            if len(asked) == 1:
                return unread(node, f"{asked[0].spelt} has no default")
        return unread(node)

    def _binding_of(self, node: ast.Name) -> ast.expr | None:
        """The one expression that a name is ever bound to, in its own function or in those around it."""
        scope: ast.AST | None = self._places[id(node)].scope
        while scope is not None:
            if bindings := self._of.get((id(scope), node.id)):
                return bindings[0].value if len(bindings) == 1 else None
            scope = None if scope is self.tree else self._places[id(self._parents[id(scope)])].scope
        return None

    def _text(self, node: ast.JoinedStr, depth: int) -> Reading:
        """A text with values in it."""
        parts = []
        for each in node.values:
            if isinstance(each, ast.FormattedValue):
                plain = each.format_spec is None and each.conversion == -1
                reading = self.value(each.value, depth) if plain else unread(each)
            else:
                reading = self.value(each, depth)
            if not isinstance(reading, Read) or type(reading.value) not in (str, int, float):
                return unread(node)
            parts.append(str(reading.value))
        return _joined(parts, node)

    def _calculated(self, node: ast.BinOp, depth: int) -> Reading:
        """Arithmetic on two numbers, two texts or tables together, and a list several times."""
        left, right = self.value(node.left, depth), self.value(node.right, depth)
        if not isinstance(left, Read) or not isinstance(right, Read):
            return unread(node)
        if isinstance(node.op, ast.Add) and isinstance(left.value, str) and isinstance(right.value, str):
            return _joined([left.value, right.value], node)
        if isinstance(node.op, ast.BitOr) and isinstance(left.value, dict) and isinstance(right.value, dict):
            return Read(left.value | right.value, node.lineno)
        if type(node.op) in _ARITHMETIC and _is_number(left) and _is_number(right):
            try:
                if max(abs(left.value), abs(right.value)) > LARGEST:
                    return unread(node)
                return Read(_ARITHMETIC[type(node.op)](left.value, right.value), node.lineno)
            except (ArithmeticError, ValueError):
                return unread(node)
        if isinstance(node.op, ast.Mult):
            several, times = left.value, right.value
            if (
                isinstance(several, list)
                and isinstance(times, int)
                and 0 < times * len(several) <= LONGEST_LIST
            ):
                return Read(several * times, node.lineno)
        return unread(node)

    def _named(self, node: ast.Name, depth: int) -> Reading:
        """What a name stands for, in its own function or in those around it."""
        if depth > DEEPEST:
            return unread(node)
        where, scope = self._places[id(node)], self._places[id(node)].scope
        while True:
            if bindings := self._of.get((id(scope), node.id)):
                here = where if scope is where.scope else None
                return self._binding(bindings, here, node.id, depth, node.lineno)
            if scope is self.tree:
                return unread(node)
            scope = self._places[id(self._parents[id(scope)])].scope

    def _binding(
        self, bindings: list[Binding], use: Where | None, name: str, depth: int, line: int = 0
    ) -> Reading:
        """The one that holds where the name is used; `use` is None for a use after all of them."""
        for each in bindings:
            if each.value is None:
                return unread(each.node, f"{name} is set where it cannot be read")
        before = [each for each in bindings if use is None or each.line < line]
        around = () if use is None else use.blocks
        loops = {block for block in around if block[2]}
        after_in_a_loop = [each for each in bindings if each.line >= line and loops & {*each.where.blocks}]
        unsure = [each for each in before if each.where.blocks != around[: len(each.where.blocks)]]
        if not before or unsure or after_in_a_loop:
            first = [*unsure, *after_in_a_loop, *bindings][0]
            return unread(first.node, f"{name} may be set or not where it is used")
        last = before[-1].value
        assert last is not None
        return self.value(last, depth + 1)


def walk(node: ast.AST, where: Where) -> Iterator[tuple[ast.AST, Where]]:
    """Every node with where it stands; a function's own arguments and body stand in it."""
    yield node, where
    inner = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef)
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST):
                continue
            if inner and name in ("body", "args"):
                yield from walk(child, Where(node, ()))
            elif name in ("body", "orelse", "handlers", "finalbody", "cases") and node is not where.scope:
                sure = isinstance(node, ast.With | ast.AsyncWith)
                is_loop = isinstance(node, ast.For | ast.AsyncFor | ast.While)
                block = () if sure else ((id(node), name, is_loop),)
                yield from walk(child, Where(where.scope, (*where.blocks, *block)))
            else:
                yield from walk(child, where)


def _joined(parts: Sequence[str], node: ast.expr) -> Reading:
    """One text, of a length that a prompt may have."""
    return Read("".join(parts), node.lineno) if sum(map(len, parts)) <= LONGEST_TEXT else unread(node)


def _is_number(reading: Read) -> bool:
    return type(reading.value) in (int, float)
