"""Importing large libraries for less: one module without its package's others, and no garbage collection."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from threading import RLock
from types import ModuleType

_lock = RLock()


class _Deferred(ModuleType):
    """A package whose `__init__` runs when something is asked for that is not there yet (PEP 562).

    Until then its modules can be imported one by one. When it runs, it finds those that were, so that each
    class is there once.
    """

    def __getattr__(self, name: str) -> object:
        with _lock:
            if isinstance(self, _Deferred):
                self._run()
        return getattr(self, name)

    def __dir__(self) -> list[str]:
        with _lock:
            if isinstance(self, _Deferred):
                self._run()
        return dir(self)

    def _run(self) -> None:
        spec = self.__spec__
        assert spec is not None
        assert spec.loader is not None
        # First, since `__init__` asks for what is not there yet.
        self.__class__ = ModuleType  # type: ignore[assignment]
        try:
            spec.loader.exec_module(self)
        except BaseException:
            self.__class__ = _Deferred
            raise


def defer(package: str) -> None:
    """Have the `__init__` of a package run when it is first needed; nothing, if it has run."""
    if package in sys.modules:
        return
    spec = find_spec(package)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    module = module_from_spec(spec)
    module.__class__ = _Deferred
    sys.modules[package] = module
    parent, _, name = package.rpartition(".")
    setattr(sys.modules[parent], name, module)


@contextmanager
def importing() -> Iterator[None]:
    """Without garbage collection, which goes through all that is imported over and over and finds nothing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
