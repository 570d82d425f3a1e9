"""What is wrong with a store: everything is read, and compared with what was written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from unheard.errors import IndexFileError
from unheard.index.store.table import embeddings, row_digests, schema

if TYPE_CHECKING:
    from unheard.index.store.table import Store


def problems(store: Store) -> Iterator[str]:
    """See `Store.verify`; stops at a part that cannot be read, since nothing behind it can be reached."""
    import pyarrow as pa
    import pyarrow.compute as pc

    places: list[pa.Table] = []
    position = 0
    try:
        for batch in store.batches([*schema(store.embedder.dimension).names, "digest"]):
            rows = pa.Table.from_batches([batch])
            written = rows["digest"].to_pylist()
            for offset, (digest, expected) in enumerate(zip(row_digests(rows), written, strict=True)):
                if digest != expected:
                    place = f"row {position + offset} (id {rows['id'][offset].as_py()!r})"
                    yield f"{place} is not what was written; remove the item and build again"
            vectors = embeddings(rows)
            without = ~(np.isfinite(vectors).all(axis=1) & vectors.any(axis=1))
            for bare in np.flatnonzero(without & ~rows["silent"].to_numpy()).tolist():
                yield f"id {rows['id'][bare].as_py()!r} has an embedding without a direction"
            places.append(rows.select(["id", "window"]))
            position += len(rows)
    except IndexFileError as error:
        yield str(error)
        return
    if not places:
        return
    items = pa.concat_tables(places).group_by("id").aggregate([("window", "count"), ("window", "max")])
    whole = pc.equal(pc.cast(items["window_count"], pa.int64()), pc.add(items["window_max"], 1))
    for item in items.filter(pc.invert(whole)).to_pylist():
        yield (
            f"id {item['id']!r} has {item['window_count']} windows, the last numbered {item['window_max']}: "
            "windows are missing or double; remove the item and build again"
        )
