"""Training sets too large to compare with all of: LanceDB's inverted file over the store.

The vectors are sorted into cells around k-means centres, and stored there with one bit a number (RaBitQ, Gao
and Long 2024, arXiv 2405.12497: IVF-RQ in LanceDB). A query is compared with the short vectors in the cells
nearest to it; the best candidates are measured again in float64 with their full vectors, so that every
similarity is the true one, and only which items are found is approximate. How many cells and candidates a
query needs depends on the data: `build_approximate` measures it, and writes it beside the vectors.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from unheard.common.texts import plural
from unheard.errors import InputError
from unheard.index.searching.vectors import no_answers
from unheard.index.store.lance import explained
from unheard.index.store.rows import embeddings
from unheard.index.store.table import Store

if TYPE_CHECKING:
    import pyarrow as pa

TARGET_RECALL = 0.99
SAMPLE = 500
"""Items whose nearest other item is looked for, to measure the recall."""
FEWEST = 1000
"""Windows below which cells would be nearly empty."""
CANDIDATES = (32, 128, 512)
"""How many may be measured again, for each query and beside the k wanted: as few as suffice."""
TRAINING = 64
"""Vectors for each cell from which its centre is learnt."""
ROUNDING = 1e-6
"""By how much two cosines of the same vectors may differ in float32."""
RECORD = b"unheard.approximate"


@dataclass(frozen=True)
class ApproximateRecord:
    """What an approximate index is, and how good.

    Attributes:
        kind: LanceDB's name of it.
        cells: into which the vectors are sorted.
        probes: cells that a query is compared with.
        candidates: found in them by the short vectors and measured again, beside the k wanted.
        recall: share of a sample of items whose nearest other item was found (recall@1).
        sample: how many items that was.
        windows: in the index when it was built; those added later are all compared until it is built again.
    """

    kind: str
    cells: int
    probes: int
    candidates: int
    recall: float
    sample: int
    windows: int


def record(store: Store) -> ApproximateRecord | None:
    """What stands in a store about its approximate index; None if none was built."""
    written = (store.table.schema.field("embedding").metadata or {}).get(RECORD)
    return None if written is None else ApproximateRecord(**json.loads(written))


def is_built(store: Store) -> bool:
    """Whether a store has an approximate index."""
    return record(store) is not None


def build_approximate(uri: str | Path) -> ApproximateRecord:
    """Build the approximate index of an index on disk, or build it again, and measure it.

    A sample of items is searched with ever more cells and candidates, until the nearest other item of 99 % of
    them is found.

    Args:
        uri: a folder, or an object store's URI.

    Raises:
        IndexFileError: the index cannot be read.
        InputError: it has too few windows, or nothing can be written.
    """
    from lancedb.index import IvfFlat, IvfRq

    store = Store.open(uri)
    count = len(store)
    if count < FEWEST:
        raise InputError(
            f"{uri} has {plural(count, 'window')}: comparing all of them is as fast; an approximate index "
            f"needs {FEWEST:,} at least"
        )
    cells = math.isqrt(count)
    with explained(f"cannot build the approximate index of {store.uri}", InputError):
        # RaBitQ packs eight numbers into a byte; embeddings of another length are stored in full.
        kind = IvfFlat if store.embedder.dimension % 8 else IvfRq
        config = kind(distance_type="cosine", num_partitions=cells, sample_rate=TRAINING)
        store.table.create_index("embedding", config=config, replace=True)
    made = _measured(store, kind.__name__, cells)
    with explained(f"cannot write to the index {store.uri}", InputError):
        metadata = {RECORD.decode(): json.dumps(asdict(made))}
        store.table.update_field_metadata({"path": "embedding", "metadata": metadata})
    return made


def _measured(store: Store, kind: str, cells: int) -> ApproximateRecord:
    """With the fewest candidates, and with these the fewest probes, that reach the recall."""
    unit, rows, nearest = _nearest_others(store)
    for candidates in CANDIDATES:
        probes = max(1, cells // 64)
        while True:
            recall = _recall(store, unit, rows, nearest, probes, candidates)
            if recall >= TARGET_RECALL or probes == cells:
                break
            probes = min(2 * probes, cells)
        if recall >= TARGET_RECALL:
            break
    return ApproximateRecord(kind, cells, probes, candidates, round(recall, 4), len(unit), len(store))


class ApproximateVectors:
    """Embeddings that stay on disk, of which an approximate index finds the nearest.

    Similarities are cosines in float64; of equally near ones among those found, the first come first.

    Args:
        store: with an approximate index.
        positions: of each of its rows, in the order of `Store.batches`; -1 for silence.

    Raises:
        InputError: no approximate index was built.
    """

    def __init__(self, store: Store, positions: np.ndarray) -> None:
        found = record(store)
        if found is None:
            raise InputError(f"{store.uri} has no approximate index; build it with `unheard index ann`")
        self.record = found
        self._store, self._positions = store, positions
        self._device = torch.device("cpu")
        numbers = [batch["_rowid"].to_numpy() for batch in store.batches(["_rowid"], 1 << 16)]
        row_ids = np.concatenate(numbers)
        self._by_row_id = np.argsort(row_ids, kind="stable")
        self._row_ids = row_ids[self._by_row_id]
        audible = np.flatnonzero(positions >= 0)
        self._rows = np.empty(len(audible), dtype=np.int64)
        self._rows[positions[audible]] = audible

    def to(self, device: torch.device) -> None:
        self._device = device

    def unit(self, positions: Tensor) -> Tensor:
        rows = self._store.take(self._rows[positions.cpu().numpy()], ["embedding"])
        exact = F.normalize(torch.tensor(embeddings(rows), dtype=torch.float64), dim=1, eps=0)
        return exact.to(self._device, torch.float32)

    def nearest(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        unit = F.normalize(queries.to("cpu", torch.float64), dim=-1)
        similarities, positions = no_answers(len(queries), k)
        usable = unit.isfinite().all(dim=1) & unit.any(dim=1)
        for query in usable.nonzero()[:, 0].tolist():
            near, vectors = self._candidates(unit[query], k)
            exact = F.normalize(vectors.double(), dim=1, eps=0) @ unit[query]
            order = np.lexsort((near, -exact.numpy()))[:k]
            similarities[query] = exact[order].clamp(-1, 1)
            positions[query] = torch.from_numpy(near[order])
        return similarities, positions

    def _candidates(self, query: Tensor, k: int) -> tuple[np.ndarray, Tensor]:
        """Positions and embeddings of at least k items near a query."""
        probes = self.record.probes
        while True:
            rows = _near(self._store, query.float().numpy(), k + self.record.candidates, probes)
            numbers = self._by_row_id[np.searchsorted(self._row_ids, rows["_rowid"].to_numpy())]
            positions = self._positions[numbers]
            audible = positions >= 0
            if audible.sum() >= k or probes >= self.record.cells:
                return positions[audible], torch.from_numpy(embeddings(rows)[audible])
            probes = self.record.cells


def _near(store: Store, query: np.ndarray, limit: int, probes: int) -> pa.Table:
    """The rows that the approximate index finds: `_rowid` and `embedding`, from the nearest."""
    search = store.table.search(query, vector_column_name="embedding").distance_type("cosine")
    with explained(f"cannot search the index {store.uri}: it is damaged or out of reach"):
        return (
            search.nprobes(probes)
            .with_row_id(True)
            .select(["embedding", "_distance"])
            .limit(limit)
            .to_arrow()
        )


def _nearest_others(store: Store) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit vectors of a sample of rows, these rows' numbers, and the cosine of each to the nearest other."""
    count = len(store)
    scan = np.unique(np.linspace(0, count - 1, SAMPLE).astype(np.int64))
    unit = _unit(embeddings(store.take(scan, ["embedding"])))
    audible = np.isfinite(unit).all(axis=1)
    unit, scan = unit[audible], scan[audible]
    nearest = np.full(len(unit), -1.0)
    rows = np.empty(len(unit), dtype=np.uint64)
    first = 0
    for batch in store.batches(["embedding", "_rowid"]):
        similarity = np.nan_to_num(_unit(embeddings(batch)) @ unit.T, nan=-1.0)
        own = np.flatnonzero((scan >= first) & (scan < first + len(batch)))
        similarity[scan[own] - first, own] = -1.0
        rows[own] = batch["_rowid"].to_numpy()[scan[own] - first]
        nearest = np.maximum(nearest, similarity.max(axis=0))
        first += len(batch)
    return unit, rows, nearest


def _recall(
    store: Store, unit: np.ndarray, rows: np.ndarray, nearest: np.ndarray, probes: int, candidates: int
) -> float:
    """Share of the sample whose nearest other row, or one as near, is found."""
    found = 0
    for query, own, best in zip(unit, rows, nearest, strict=True):
        near = _near(store, query, 1 + candidates, probes)
        others = near["_rowid"].to_numpy() != own
        reached = _unit(embeddings(near)[others]) @ query
        found += bool(len(reached) and reached.max() >= best - ROUNDING)
    return found / len(unit)


def _unit(vectors: np.ndarray) -> np.ndarray:
    """To unit length, float32; NaN for silence."""
    with np.errstate(invalid="ignore", divide="ignore"):
        unit: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
