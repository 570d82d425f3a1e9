"""Rows for a store, and what is in one, row by row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unheard.index.store.embedder_record import EmbedderRecord
from unheard.index.store.fingerprints import Prints
from unheard.index.store.rows import schema
from unheard.index.store.table import Store

PRINTS = Prints(
    np.ones((2, 3), np.float16),
    np.ones((2, 4), np.int32),
    np.ones((5, 6), np.int8),
    np.arange(5, dtype=np.int32),
    1.0,
)
"""What a sound is found by, for a table that does not ask what it means."""
DIMENSION = 6
GUIDE = EmbedderRecord("guide", DIMENSION, sha256="a" * 64, sample_rate=16_000, window=1.0)


def rows(windows: dict[str, int], seed: int = 0, **changes: Any) -> pa.Table:
    """Items by id with their number of windows, of random unit embeddings."""
    generator = np.random.default_rng(seed)
    made = []
    for identifier, count in windows.items():
        for window in range(count):
            vector = generator.standard_normal(DIMENSION)
            row = {
                "id": identifier,
                "window": window,
                "window_start": window / 2,
                "window_end": window / 2 + 1,
                "embedding": vector / np.linalg.norm(vector),
                "prompt": f"caption of {identifier}",
                "seconds_start": 0.0,
                "seconds_total": count / 2 + 0.5,
                "content_sha256": "0" * 64,
                "source": f"/sounds/{identifier}",
                "silent": False,
                "further": None,
            }
            made.append({**row, **changes})
    return pa.Table.from_pylist(made, schema=schema(DIMENSION))


def content(store: Store | str | Path) -> list[dict[str, Any]]:
    """All rows of a store, or of the one that is there, by id and window."""
    store = store if isinstance(store, Store) else Store.open(store)
    names = [*schema(store.embedder.dimension).names, "digest"]
    found = [row for batch in store.batches(names) for row in batch.to_pylist()]
    return sorted(found, key=lambda row: (row["id"], row["window"]))
