"""What a script asks of `generate_diffusion_cond`, read as Python's syntax: nothing of it is run.

Understood are literals, arithmetic on numbers, and names that are bound to such, as far as it is certain
which binding holds at the call. Everything else is handed out as it stands in the file.
"""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unheard.common.regular_files import read_regular
from unheard.errors import InputError

PUBLISHED, PLAIN = "my_generate_diffusion_cond", "generate_diffusion_cond"
FUNCTIONS = (PUBLISHED, PLAIN)
POSITIONS = (
    "model", "steps", "cfg_scale", "conditioning", "conditioning_tensors", "negative_conditioning",
    "negative_conditioning_tensors", "batch_size", "sample_size", "sample_rate", "seed", "device",
    "init_audio", "init_noise_level", "return_latents", "c1", "c2", "c3", "lambda_min", "lambda_max",
)  # fmt: skip
"""The arguments in their order, the last five of the published function alone."""
LONGEST = 1_000_000  # bytes of a script
DEEPEST = 50  # names that lead to names
LONGEST_LIST = 1000
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip


@dataclass(frozen=True)
class Read:
    """A value that was read, and the line where it stands; lists and tables hold `Reading`s."""

    value: Any
    line: int


@dataclass(frozen=True)
class Unread:
    """An expression that was not read, with the reason if it is another than what it is."""

    expression: str
    line: int
    why: str = ""


Reading = Read | Unread


@dataclass(frozen=True)
class Script:
    """What a script says.

    Attributes:
        path: as it was given.
        function: the function that it calls, one of `FUNCTIONS`; None if it only sets names.
        line: of the call.
        calls: the lines of all calls.
        arguments: of the call, by name; of a script without a call, the names that it sets.
        model: what `get_pretrained_model` is asked for.
        imports: the packages that it imports, the outermost name of each.
    """

    path: str
    function: str | None
    line: int | None
    calls: tuple[int, ...]
    arguments: dict[str, Reading]
    model: Reading | None
    imports: tuple[str, ...]


def read_script(path: str | Path, number: int = 1) -> Script:
    """Read a script.

    Args:
        path: of a Python file.
        number: which of its calls, from 1, in the order of their lines.

    Raises:
        InputError: it cannot be read, is not Python, or has no such call and sets none of the names either.
    """
    try:
        content = read_regular(path, LONGEST)
    except (OSError, InputError) as error:
        raise InputError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(content)
        bindings = _Bindings(tree)
    except SyntaxError as error:
        raise InputError(f"{path}:{error.lineno or 1} is not Python: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"{path} is not Python that can be read: {error}") from error
    calls = sorted(bindings.calls(FUNCTIONS), key=lambda found: found[1].lineno)
    model = next((call for _, call in bindings.calls(("get_pretrained_model",))), None)
    asked = None if model is None else bindings.argument(model, 0, "name")
    lines = tuple(call.lineno for _, call in calls)
    if not calls:
        named = {name: bindings.last(name) for name in POSITIONS + _SETTINGS if bindings.is_set(name)}
        if not named:
            raise InputError(
                f"{path} calls neither {PUBLISHED} nor {PLAIN}, and sets none of their arguments: give "
                "amg_infer.py, or a script like it"
            )
        return Script(str(path), None, None, (), named, asked, bindings.imports)
    if not 1 <= number <= len(calls):
        raise InputError(f"call is {number}, but {path} has {len(calls)}: give 1 to {len(calls)}")
    function, call = calls[number - 1]
    return Script(str(path), function, call.lineno, lines, bindings.arguments(call), asked, bindings.imports)


_SETTINGS = (
    "denoising_steps", "total_duration", "prompt", "seconds_start", "seconds_total", "sampler_type",
    "sigma_min", "sigma_max", "rho",
)  # fmt: skip


@dataclass(frozen=True)
class _Where:
    """Where a node stands: its function, and the blocks around it that may not run, or run often.

    A block is known by its statement's identity and its name there, and says whether it is a loop's.
    """

    scope: ast.AST
    blocks: tuple[tuple[int, str, bool], ...]


@dataclass(frozen=True)
class _Binding:
    """What a name is bound to: an expression, or None for what is no assignment of one."""

    value: ast.expr | None
    node: ast.AST
    where: _Where

    @property
    def line(self) -> int:
        return int(getattr(self.node, "lineno", 0))


@dataclass
class _Bindings:
    """The names of a module, by function, and the values that are certain."""

    tree: ast.Module
    _of: dict[tuple[int, str], list[_Binding]] = field(default_factory=dict)
    _parents: dict[int, ast.AST] = field(default_factory=dict)
    _places: dict[int, _Where] = field(default_factory=dict)
    _aliases: dict[str, str] = field(default_factory=dict)
    imports: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        imported: list[str] = []
        for node, where in _walk(self.tree, _Where(self.tree, ())):
            self._places[id(node)] = where
            for child in ast.iter_child_nodes(node):
                self._parents[id(child)] = node
            if isinstance(node, ast.Import):
                imported += [alias.name.split(".")[0] for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                imported.append((node.module or "").split(".")[0])
                self._aliases |= {alias.asname or alias.name: alias.name for alias in node.names}
            for name, value in _bound(node):
                inner = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                scope = _Where(node, ()) if inner else where
                self._of.setdefault((id(scope.scope), name), []).append(_Binding(value, node, scope))
        self.imports = tuple(dict.fromkeys(filter(None, imported)))

    def calls(self, functions: tuple[str, ...]) -> Iterator[tuple[str, ast.Call]]:
        """The calls of some functions, whatever they were imported as."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                called = node.func
                name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                name = self._aliases.get(name, name)
                if name in functions:
                    yield name, node

    def argument(self, call: ast.Call, position: int, name: str) -> Reading | None:
        """One argument of a call."""
        if position < len(call.args):
            return self.value(call.args[position])
        return next((self.value(each.value) for each in call.keywords if each.arg == name), None)

    def arguments(self, call: ast.Call) -> dict[str, Reading]:
        """Every argument of a call but for the model, those of `**table` among them."""
        found: dict[str, Reading] = {}
        for position, node in enumerate(call.args):
            if isinstance(node, ast.Starred) or position >= len(POSITIONS):
                found[f"argument {position + 1}"] = _unread(node)
                break
            found[POSITIONS[position]] = self.value(node)
        for keyword in call.keywords:
            value = self.value(keyword.value)
            if keyword.arg is not None:
                found[keyword.arg] = value
            elif isinstance(value, Read) and isinstance(value.value, dict):
                found |= value.value
            else:
                found[f"**{ast.unparse(keyword.value)}"] = value
        found.pop("model", None)
        return found

    def is_set(self, name: str) -> bool:
        """Whether the module itself binds a name."""
        return (id(self.tree), name) in self._of

    def last(self, name: str) -> Reading:
        """What a name of the module is bound to at its end."""
        return self._binding(self._of[id(self.tree), name], None, name, 0)

    def value(self, node: ast.expr, depth: int = 0) -> Reading:
        """What an expression is, as far as it is certain."""
        line = node.lineno
        if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float | None):
            return Read(node.value, line)
        if isinstance(node, ast.Name):
            return self._named(node, depth)
        if isinstance(node, ast.List | ast.Tuple):
            return Read([self.value(each, depth) for each in node.elts], line)
        if isinstance(node, ast.Dict):
            keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
            if all(isinstance(key, str) for key in keys):
                values = [self.value(each, depth) for each in node.values]
                return Read(dict(zip(keys, values, strict=True)), line)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            inner = self.value(node.operand, depth)
            if isinstance(inner, Read) and _is_number(inner):
                return Read(-inner.value if isinstance(node.op, ast.USub) else inner.value, line)
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            return self._calculated(node, depth)
        return _unread(node)

    def _calculated(self, node: ast.BinOp, depth: int) -> Reading:
        """Arithmetic on two numbers, and a list several times."""
        left, right = self.value(node.left, depth), self.value(node.right, depth)
        if not isinstance(left, Read) or not isinstance(right, Read):
            return _unread(node)
        if _is_number(left) and _is_number(right):
            try:
                return Read(_ARITHMETIC[type(node.op)](left.value, right.value), node.lineno)
            except (ArithmeticError, ValueError):
                return _unread(node)
        if isinstance(node.op, ast.Mult):
            several, times = left.value, right.value
            if (
                isinstance(several, list)
                and isinstance(times, int)
                and 0 < times * len(several) <= LONGEST_LIST
            ):
                return Read(several * times, node.lineno)
        return _unread(node)

    def _named(self, node: ast.Name, depth: int) -> Reading:
        """What a name stands for, in its own function or in those around it."""
        if depth > DEEPEST:
            return _unread(node)
        where, scope = self._places[id(node)], self._places[id(node)].scope
        while True:
            if bindings := self._of.get((id(scope), node.id)):
                here = where if scope is where.scope else None
                return self._binding(bindings, here, node.id, depth, node.lineno)
            if scope is self.tree:
                return _unread(node)
            scope = self._places[id(self._parents[id(scope)])].scope

    def _binding(
        self, bindings: list[_Binding], use: _Where | None, name: str, depth: int, line: int = 0
    ) -> Reading:
        """The one that holds where the name is used; `use` is None for a use after all of them."""
        for each in bindings:
            if each.value is None:
                return _unread(each.node, f"{name} is set where it cannot be read")
        before = [each for each in bindings if use is None or each.line < line]
        around = () if use is None else use.blocks
        loops = {block for block in around if block[2]}
        after_in_a_loop = [each for each in bindings if each.line >= line and loops & {*each.where.blocks}]
        unsure = [each for each in before if each.where.blocks != around[: len(each.where.blocks)]]
        if not before or unsure or after_in_a_loop:
            first = [*unsure, *after_in_a_loop, *bindings][0]
            return _unread(first.node, f"{name} may be set or not where it is used")
        last = before[-1].value
        assert last is not None
        return self.value(last, depth + 1)


def _walk(node: ast.AST, where: _Where) -> Iterator[tuple[ast.AST, _Where]]:
    """Every node with where it stands; a function's own arguments and body stand in it."""
    yield node, where
    inner = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef)
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST):
                continue
            if inner and name in ("body", "args"):
                yield from _walk(child, _Where(node, ()))
            elif name in ("body", "orelse", "handlers", "finalbody", "cases") and node is not where.scope:
                sure = isinstance(node, ast.With | ast.AsyncWith)
                is_loop = isinstance(node, ast.For | ast.AsyncFor | ast.While)
                block = () if sure else ((id(node), name, is_loop),)
                yield from _walk(child, _Where(where.scope, (*where.blocks, *block)))
            else:
                yield from _walk(child, where)


def _bound(node: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
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
    elif isinstance(node, ast.AugAssign | ast.NamedExpr | ast.For | ast.AsyncFor | ast.comprehension):
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
    else:  # of a table or an object: what it is a part of is no longer certain
        yield from ((name, None) for name in _names(target))


def _names(target: ast.AST) -> Iterator[str]:
    yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))


def _is_number(reading: Read) -> bool:
    return type(reading.value) in (int, float)


def _unread(node: ast.AST, why: str = "") -> Unread:
    expression = " ".join(ast.unparse(node).split())
    if isinstance(node, ast.For | ast.AsyncFor | ast.FunctionDef | ast.AsyncFunctionDef | ast.With):
        expression = expression.partition(":")[0]
    return Unread(expression[:80], int(getattr(node, "lineno", 0)), why)
