"""An index on disk, searched in memory: exactly, with its embeddings held once, in float32."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from unheard.errors import IndexFileError, InputError
from unheard.index.searching.index import Index, Origin
from unheard.index.store.table import EmbedderRecord, Store, embeddings

if TYPE_CHECKING:
    import pyarrow as pa

EXACT_LIMIT = 1_000_000
"""Windows up to which all are compared; beyond, an approximate index answers if one was built."""

UNIT_ERROR = 1e-5
"""How far from 1 a float32 embedding's length may be and still be taken as a unit vector as it is."""


def open_stored(uri: str | Path) -> Index:
    """The index at a folder or URI, exact or, beyond `EXACT_LIMIT` and if it was built, approximate.

    Raises:
        IndexFileError: there is none, it is damaged, or an embedding has no direction.
    """
    store = Store.open(uri)
    if len(store) > EXACT_LIMIT:
        from unheard.index.searching.approximate import ApproximateIndex, is_built

        if is_built(store):
            return ApproximateIndex(store)
        warnings.warn(
            f"{uri} has {len(store):,} windows and all are compared at every step: build an approximate "
            f"index with `unheard index build ... --ann` or `unheard index ann {uri}`",
            stacklevel=3,
        )
    return StoredIndex(store)


class StoredIndex(Index):
    """A store's rows by position, in the order of their ids and windows, whatever order they came in.

    Thus two builds of one training set answer alike to the last tie. Silent windows are left out: they have
    no direction that could be compared.
    """

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self.path = store.uri if "://" in store.uri else Path(store.uri)
        self._sources: list[str | None] = []
        self._positions = self._read_rows()
        self._read_embeddings()

    @property
    def embedder_name(self) -> str | None:
        return self.store.embedder.name

    @property
    def dimension(self) -> int:
        return self.store.embedder.dimension

    @cached_property
    def _checksum(self) -> str:
        return self.store.checksum

    @property
    def sha256(self) -> str:
        """The store's checksum, see `Store.checksum`."""
        return self._checksum

    def check_embedder(self, embedder: Origin) -> None:
        """Raise IndexFileError if the embeddings cannot be compared with this embedder's."""
        self.store.embedder.check(EmbedderRecord.of(embedder), self.store.uri)

    def add(self, *_: Any, **__: Any) -> None:
        """Raise InputError: what is on disk is added to on disk."""
        raise InputError(f"{self.store.uri} is an index on disk: add to it with `unheard index add`")

    def remove(self, ids: Sequence[str]) -> int:
        """Raise InputError: what is on disk is removed on disk."""
        raise InputError(f"{self.store.uri} is an index on disk: use `unheard index remove`")

    def save(self, path: str | Path) -> None:
        """Raise InputError: it is saved already."""
        raise InputError(f"{self.store.uri} is on disk already; `unheard index export` writes it as JSON")

    def _read_rows(self) -> np.ndarray:
        """Take over what is known of each row; returns the positions of the store's rows, -1 for silence."""
        import pyarrow as pa
        import pyarrow.compute as pc

        columns = ["id", "window", "window_start", "window_end", "prompt", "seconds_start", "seconds_total"]
        columns.append("source")
        batches = list(self.store.batches([*columns, "silent"], 1 << 16))
        if not batches:
            return np.empty(0, dtype=np.int64)
        rows = pa.Table.from_batches(batches)
        order = pc.sort_indices(rows, [("id", "ascending"), ("window", "ascending")]).to_numpy()
        order = order[~rows["silent"].to_numpy()[order]]
        positions = np.full(len(rows), -1, dtype=np.int64)
        positions[order] = np.arange(len(order))
        self._take_over(rows.select(columns).take(order))
        return positions

    @property
    def sources(self) -> list[str | None]:
        """The sound file of each position, None where it was imported."""
        return self._sources

    def contents(self) -> dict[str, str]:
        """SHA-256 of the items' sound files by id, as they were heard; of those that are known."""
        batches = self.store.batches(["id", "content_sha256"], 1 << 16)
        pairs = (
            pair
            for batch in batches
            for pair in zip(batch["id"].to_pylist(), batch["content_sha256"].to_pylist(), strict=True)
        )
        return {item: content for item, content in pairs if content}

    def _take_over(self, rows: pa.Table) -> None:
        self.ids = rows["id"].to_pylist()
        self.prompts = rows["prompt"].fill_null("").to_pylist()
        self._sources = rows["source"].to_pylist()
        self.seconds_start = rows["seconds_start"].to_pylist()
        self.seconds_total = rows["seconds_total"].to_pylist()
        self.windows = list(
            zip(rows["window_start"].to_pylist(), rows["window_end"].to_pylist(), strict=True)
        )

    def _read_embeddings(self) -> None:
        """Read the embeddings to their positions: once as they are and, if need be, once at unit length."""
        self._rows = torch.empty(len(self.ids), self.dimension)
        first = 0
        for batch in self.store.batches(["embedding"]):
            positions = self._positions[first : first + len(batch)]
            first += len(batch)
            heard = positions >= 0
            self._rows[positions[heard]] = torch.from_numpy(embeddings(batch)[heard])
        lengths = torch.cat([few.norm(dim=1) for few in self._rows.split(1 << 15)])
        usable = lengths.isfinite() & (self._rows.any(dim=1))
        if not usable.all():
            identifier = self.ids[int(usable.int().argmin())]
            raise IndexFileError(
                f"{self.store.uri}: id {identifier!r} has an embedding without a direction; `unheard index "
                "verify` lists what is wrong, `unheard index remove` takes it out"
            )
        self._unit = self._rows
        if not ((lengths - 1).abs() < UNIT_ERROR).all():
            self._unit = torch.cat([_unit(few).float() for few in self._rows.split(1 << 15)])
        self._unit = self._unit.to(self.device)

    def _exact_vectors(self, positions: Tensor) -> Tensor:
        return _unit(self._rows[positions])


def _unit(rows: Tensor) -> Tensor:
    """To unit length in float64, in which no square of a float32 overflows or vanishes."""
    return F.normalize(rows.double(), dim=1, eps=0)
