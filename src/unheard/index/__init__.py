"""The training set as the guidance needs it: which item is nearest, and what is its caption.

commands    what one does with an index, each a function
searching   `Index`: exact in memory, approximate on disk; `JSONIndex` also adds and removes
store       the training set on disk: a table, one row a window; verified; with the audit's fingerprints
building    from recordings to a store; it can be stopped at any moment, and run again
published   the JSON format, streamed: reading, writing, what is wrong in a file
clustering  what repeats in a training set
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unheard.index.building.additions import AddedSounds, add_sounds
    from unheard.index.commands import (
        Info,
        add,
        build,
        duplicates,
        export_json,
        import_json,
        info,
        remove,
        search,
        unknown_ids,
        verify,
    )
    from unheard.index.searching.index import Index, Item
    from unheard.index.searching.json_index import JSONIndex

__all__ = [
    "AddedSounds",
    "Index",
    "Info",
    "Item",
    "JSONIndex",
    "add",
    "add_sounds",
    "build",
    "duplicates",
    "export_json",
    "import_json",
    "info",
    "remove",
    "search",
    "unknown_ids",
    "verify",
]

_HOMES = {
    "AddedSounds": "building.additions",
    "Index": "searching.index",
    "Item": "searching.index",
    "JSONIndex": "searching.json_index",
    "add_sounds": "building.additions",
}


def __getattr__(name: str) -> object:
    """Import an export when it is first used: a worker that decodes needs no torch and no store."""
    if name not in __all__:
        raise AttributeError(f"module 'unheard.index' has no attribute {name!r}")
    return getattr(import_module(f"unheard.index.{_HOMES.get(name, 'commands')}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
