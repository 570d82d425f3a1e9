"""The training set as the guidance asks it: which item is nearest, and what is its caption.

memory         `Index`: a training set in memory, and its exact search
json_file      the published format: reading, writing, what is wrong in a file
json_stream    the same between a file of any size and a store
store          the training set on disk, one row a window; `verification` reads all of it
fingerprints   what the audit keeps beside the items
stored         a store searched in memory; `approximate` one too large for that
sources        where recordings come from: folders, manifests, shards
building       from recordings to a store; decoding in `workers`, `windows` to rows, `ledger` of what is there
clusters       what repeats in a training set
wordings       which items have the same caption
sounds         adding a few sounds of one's own
verbs          what one does with an index, each a function
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
        verify,
    )
    from unheard.index.searching.index import Index, Item

__all__ = [
    "AddedSounds",
    "Index",
    "Info",
    "Item",
    "add",
    "add_sounds",
    "build",
    "duplicates",
    "export_json",
    "import_json",
    "info",
    "remove",
    "search",
    "verify",
]

_HOMES = {
    "AddedSounds": "building.additions",
    "Index": "searching.index",
    "Item": "searching.index",
    "add_sounds": "building.additions",
}


def __getattr__(name: str) -> object:
    """Import an export when it is first asked for: a worker that decodes needs no torch and no store."""
    if name not in __all__:
        raise AttributeError(f"module 'unheard.index' has no attribute {name!r}")
    return getattr(import_module(f"unheard.index.{_HOMES.get(name, 'commands')}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
