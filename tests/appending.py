"""A process that appends to a store at the same time as others, with few imports to start."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from stored_rows import rows

from unheard.index.store.table import Store


def append_many(uri: str, who: int, barrier: Any, rounds: int) -> None:
    """One table a round, as soon as all are at the barrier."""
    store = Store.open(uri)
    for turn in range(rounds):
        table = appended(who, turn)
        barrier.wait()
        store.append(table)


def appended(who: int, turn: int) -> pa.Table:
    """Four items that every process has, with a number of windows of its own, and four of its own."""
    shared = {f"shared {turn}-{n}": 2 + who for n in range(4)}
    return rows(shared | {f"{who} {turn}-{n}": 2 for n in range(4)}, seed=who)
