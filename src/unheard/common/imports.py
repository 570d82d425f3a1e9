"""Importing large libraries for less: one module without its package's others, and no garbage collection."""

from __future__ import annotations

import gc
import sys
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from threading import RLock
from types import ModuleType
from typing import Any, Protocol

_lock = RLock()
_for_good = False


class StandIn(Protocol):
    """Importable from a package whose `__init__` has not run, in the place of what that will define."""

    def settle(self, real: Any) -> None:
        """The `__init__` has run and defined `real` by this name."""


class _Deferred(ModuleType):
    """A package whose `__init__` runs when something is asked for that is not there yet (PEP 562).

    Until then its modules can be imported one by one. When it runs, it finds those that were, so that each
    class is there once.
    """

    __stand_ins__: Mapping[str, StandIn]
    __alone__: Container[str] | None

    def __getattr__(self, name: str) -> object:
        self.run()
        return getattr(self, name)

    def __dir__(self) -> list[str]:
        self.run()
        return dir(self)

    def run(self) -> None:
        with _lock:
            if not isinstance(self, _Deferred):  # another thread was first
                return
            spec, stand_ins = self.__spec__, self.__stand_ins__
            assert spec is not None
            assert spec.loader is not None
            # First, since `__init__` asks for what is not there yet.
            self.__class__ = ModuleType  # type: ignore[assignment]
            try:
                spec.loader.exec_module(self)
            except BaseException:
                self.__class__ = _Deferred
                raise
            real = sys.modules[self.__name__]
            if real is not self:  # it has put another module in its place
                vars(self).update(__getattr__=partial(getattr, real), __dir__=partial(dir, real))
            for name, stand_in in stand_ins.items():
                stand_in.settle(getattr(real, name))


class _PackageFirst(MetaPathFinder, Loader):
    """Runs a deferred package before a module of it that cannot be imported without."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        around, _, module = name.rpartition(".")
        package = sys.modules.get(around)
        if not isinstance(package, _Deferred) or package.__alone__ is None or module in package.__alone__:
            return None
        package.run()
        if name not in sys.modules:
            return None
        # It was imported on the way, and is not to be imported again: the import goes on with what the module
        # says of itself, which is that it is there.
        imported, found = sys.modules[name], ModuleSpec(name, self)
        found.loader_state, imported.__spec__ = imported.__spec__, found
        return found

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return sys.modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state


def defer(package: str, *, alone: Container[str] | None = None, **stand_ins: StandIn) -> None:
    """Have the `__init__` of a package run when it is first needed; nothing, if it has run.

    Args:
        package: its full name.
        alone: its modules that can be imported without it; by default all can.
        stand_ins: by name, what can be imported from the package without running it.
    """
    if package in sys.modules:
        return
    spec = find_spec(package)  # imports the package around it
    if spec is None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    module = module_from_spec(spec)
    vars(module).update(stand_ins, __stand_ins__=stand_ins, __alone__=alone)
    module.__class__ = _Deferred
    if not any(isinstance(finder, _PackageFirst) for finder in sys.meta_path):
        sys.meta_path.insert(0, _PackageFirst())
    sys.modules[package] = module
    around, _, name = package.rpartition(".")
    if around:
        setattr(sys.modules[around], name, module)


def run(package: str) -> None:
    """Have the `__init__` of a package run that was deferred; nothing, if it has run."""
    module = import_module(package)
    if isinstance(module, _Deferred):
        module.run()


@contextmanager
def importing() -> Iterator[None]:
    """Without garbage collection, which goes through all that is imported over and over and finds nothing."""
    was_enabled, before = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            if _for_good and len(sys.modules) > before:
                gc.freeze()
            gc.enable()


def import_for_good() -> None:
    """From now on no collection goes through what was imported, nor through anything else there is by then.

    For a program that has the process to itself. In somebody else's, what is garbage at that moment would
    never be freed.
    """
    global _for_good
    _for_good = True
