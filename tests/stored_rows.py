"""What is in a store, row by row."""

from __future__ import annotations

from typing import Any

from unheard.index.store.rows import schema
from unheard.index.store.table import Store


def content(store: Store) -> list[dict[str, Any]]:
    names = [*schema(store.embedder.dimension).names, "digest"]
    found = [row for batch in store.batches(names) for row in batch.to_pylist()]
    return sorted(found, key=lambda row: (row["id"], row["window"]))
