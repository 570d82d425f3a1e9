"""An index on disk, read into memory: its rows by position, its embeddings in float32 or left on disk.

Positions are in the order of ids and windows, whatever order the rows came in: two builds of one training set
answer alike to the last tie. Silent windows are left out: they have no direction that could be compared.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from unheard.errors import IndexFileError
from unheard.index.searching.approximate import ApproximateVectors, is_built
from unheard.index.searching.snapshot import Snapshot
from unheard.index.searching.vectors import ExactVectors, Vectors
from unheard.index.store.rows import embeddings, schema
from unheard.index.store.table import Store

if TYPE_CHECKING:
    import pyarrow as pa

EXACT_LIMIT = 1_000_000
"""Windows up to which all are compared; beyond, an approximate index answers if one was built."""

UNIT_ERROR = 1e-5
"""How far from 1 a float32 embedding's length may be and still be taken as a unit vector as it is."""

COLUMNS = ["id", "window", "window_start", "window_end", "prompt", "seconds_start", "seconds_total", "source"]


def read_store(store: Store) -> Snapshot:
    """What a store holds, with exact or, beyond `EXACT_LIMIT` and if it was built, approximate search.

    Raises:
        IndexFileError: the store is damaged, or an embedding has no direction.
    """
    if len(store) <= EXACT_LIMIT:
        return read_exactly(store)
    if is_built(store):
        return read_approximately(store)
    warnings.warn(
        f"{store.uri} has {len(store):,} windows and all are compared at every step: build an approximate "
        f"index with `unheard index build ... --ann` or `unheard index ann {store.uri}`",
        stacklevel=3,
    )
    return read_exactly(store)


def read_exactly(store: Store) -> Snapshot:
    """What a store holds, with all its embeddings in memory; raises as `read_store`."""
    rows, positions = _read_rows(store)
    return _snapshot(store, rows, _exact_vectors(store, rows, positions))


def read_approximately(store: Store) -> Snapshot:
    """What a store holds, with its embeddings on disk and found by its approximate index.

    Raises:
        InputError: no approximate index was built.
        IndexFileError: the store is damaged.
    """
    rows, positions = _read_rows(store)
    return _snapshot(store, rows, ApproximateVectors(store, positions))


def _snapshot(store: Store, rows: pa.Table, vectors: Vectors) -> Snapshot:
    return Snapshot(
        ids=rows["id"].to_pylist(),
        prompts=rows["prompt"].fill_null("").to_pylist(),
        seconds_start=rows["seconds_start"].to_pylist(),
        seconds_total=rows["seconds_total"].to_pylist(),
        windows=list(zip(rows["window_start"].to_pylist(), rows["window_end"].to_pylist(), strict=True)),
        sources=rows["source"].to_pylist(),
        vectors=vectors,
        embedder=store.embedder,
        checksum=lambda: store.checksum,
        store=store,
    )


def _read_rows(store: Store) -> tuple[pa.Table, np.ndarray]:
    """What is known of each position, and the position of each row of the store, -1 for silence."""
    import pyarrow as pa
    import pyarrow.compute as pc

    batches = list(store.batches([*COLUMNS, "silent"], 1 << 16))
    if not batches:
        return schema(store.embedder.dimension).empty_table().select(COLUMNS), np.empty(0, dtype=np.int64)
    rows = pa.Table.from_batches(batches)
    order = pc.sort_indices(rows, [("id", "ascending"), ("window", "ascending")]).to_numpy()
    order = order[~rows["silent"].to_numpy()[order]]
    positions = np.full(len(rows), -1, dtype=np.int64)
    positions[order] = np.arange(len(order))
    return rows.select(COLUMNS).take(order), positions


def _exact_vectors(store: Store, rows: pa.Table, positions: np.ndarray) -> ExactVectors:
    """The embeddings at their positions: read once as they are and, if need be, held at unit length too."""
    read = torch.empty(len(rows), store.embedder.dimension)
    first = 0
    for batch in store.batches(["embedding"]):
        of_batch = positions[first : first + len(batch)]
        first += len(batch)
        audible = of_batch >= 0
        read[of_batch[audible]] = torch.from_numpy(embeddings(batch)[audible])
    lengths = torch.cat([few.norm(dim=1) for few in torch.split(read, 1 << 15)])
    usable = lengths.isfinite() & read.any(dim=1)
    if not usable.all():
        identifier = rows["id"][int(usable.int().argmin())].as_py()
        raise IndexFileError(
            f"{store.uri}: id {identifier!r} has an embedding without a direction; `unheard index "
            "verify` lists what is wrong, `unheard index remove` takes it out"
        )
    unit = read
    if not ((lengths - 1).abs() < UNIT_ERROR).all():
        unit = torch.cat([_unit(few).float() for few in torch.split(read, 1 << 15)])
    return ExactVectors(unit, lambda positions: _unit(read[positions]))


def _unit(rows: Tensor) -> Tensor:
    """To unit length in float64, in which no square of a float32 overflows or vanishes."""
    return F.normalize(rows.double(), dim=1, eps=0)
