"""What is wrong with a store: everything is read, and compared with what was written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from unheard.common.texts import plural
from unheard.errors import IndexFileError
from unheard.index.store.rows import embeddings, row_digests

if TYPE_CHECKING:
    import pyarrow as pa


def problems(batches: Iterable[pa.RecordBatch]) -> Iterator[str]:
    """What is wrong with the rows of a store, one sentence each.

    Looked for: parts that cannot be read, rows whose content is not what was written, ids that occur twice,
    windows missing from an item, embeddings without a direction in rows not marked as silent. Stops at a part
    that cannot be read, since nothing behind it can be reached.

    Args:
        batches: all rows with all their columns; IndexFileError where a part cannot be read.
    """
    import pyarrow as pa

    read: list[pa.Table] = []
    count = 0
    try:
        for batch in batches:
            rows = pa.Table.from_batches([batch])
            yield from _problems_of_rows(rows, count)
            read.append(rows.select(["id", "window"]))
            count += len(rows)
    except IndexFileError as error:
        yield str(error)
        return
    if read:
        yield from _problems_of_items(pa.concat_tables(read))


def _problems_of_rows(rows: pa.Table, first: int) -> Iterator[str]:
    """Rows whose content is not what was written, or without a direction; they are numbered from `first`."""
    written = rows["digest"].to_pylist()
    for number, (digest, expected) in enumerate(zip(row_digests(rows), written, strict=True)):
        if digest != expected:
            row = f"row {first + number} (id {rows['id'][number].as_py()!r})"
            yield f"{row} is not what was written; remove the item and build again"
    vectors = embeddings(rows)
    without = ~(np.isfinite(vectors).all(axis=1) & vectors.any(axis=1))
    for number in np.flatnonzero(without & ~rows["silent"].to_numpy()).tolist():
        yield f"id {rows['id'][number].as_py()!r} has an embedding without a direction"


def _problems_of_items(rows: pa.Table) -> Iterator[str]:
    """Items of which a window is missing or double; of all rows their columns `id` and `window`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    items = rows.group_by("id").aggregate([("window", "count"), ("window", "max")])
    whole = pc.equal(pc.cast(items["window_count"], pa.int64()), pc.add(items["window_max"], 1))
    for item in items.filter(pc.invert(whole)).to_pylist():
        yield (
            f"id {item['id']!r} has {plural(item['window_count'], 'window')}, the last numbered "
            f"{item['window_max']}: windows are missing or double; remove the item and build again"
        )
