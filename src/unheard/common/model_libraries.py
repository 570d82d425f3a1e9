"""What diffusers and transformers import for other models and other uses, put off until somebody needs it.

torch's compiler, SciPy's optimizers and the list of all of transformers' models are a second of imports and
more. While they are imported themselves, the libraries want little of these: decorators that say how a
function is compiled, and a function for a loss. Stand-ins serve for that.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import update_wrapper, wraps
from types import FunctionType
from typing import Any

from unheard.common.imports import defer, run


def import_progress_bars() -> None:
    """To be called before the hub's client is imported, which warns in a notebook that has no widgets."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tqdm.auto  # noqa: F401


def defer_unused_parts() -> None:
    """To be called before diffusers or transformers are imported; what they have imported by then stays."""
    import_progress_bars()
    defer(
        "torch._dynamo",
        alone={"_trace_wrapped_higher_order_op"},
        allow_in_graph=_Mark(),
        assume_constant_result=_Mark(),
        disable=_Disable(),
    )
    defer("scipy.optimize", alone=(), linear_sum_assignment=_Function("scipy.optimize"))
    defer("transformers.models")
    for package in ("autoencoders", "transformers", "unets"):
        defer(f"diffusers.models.{package}")


class _Function:
    """A function whose package runs when it is called."""

    def __init__(self, package: str) -> None:
        self.package = package

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        run(self.package)
        return self.real(*arguments, **options)

    def settle(self, real: Callable[..., Any]) -> None:
        self.real = real


class _Mark:
    """A decorator that tells the compiler of a function or class, and returns it as it is."""

    def __init__(self) -> None:
        self.marked: list[Any] = []

    def __call__(self, function: Any) -> Any:
        self.marked.append(function)
        return function

    def settle(self, real: Callable[[Any], Any]) -> None:
        for function in self.marked:
            real(function)


class _Disable:
    """`torch._dynamo.disable`: the compiler leaves a function alone, as it does while it is not there."""

    def __init__(self) -> None:
        self.settling: list[Callable[[Callable[..., Any]], None]] = []

    def __call__(self, function: Any = None, *arguments: Any, **options: Any) -> Any:
        if function is None:
            return lambda function: self(function, *arguments, **options)
        if not isinstance(function, FunctionType):
            run("torch._dynamo")
            return self.real(function, *arguments, **options)
        now: Callable[..., Any] = function

        @wraps(function)
        def disabled(*of_call: Any, **options_of_call: Any) -> Any:
            return now(*of_call, **options_of_call)

        def settle(real: Callable[..., Any]) -> None:
            nonlocal now
            now = real(function, *arguments, **options)
            update_wrapper(disabled, now, assigned=())  # with the marks that the compiler looks for

        self.settling.append(settle)
        return disabled

    def settle(self, real: Callable[..., Any]) -> None:
        self.real = real
        for settle in self.settling:
            settle(real)
