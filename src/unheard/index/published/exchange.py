"""Indexes on disk from and to the published JSON format, in memory that does not grow with them.

The format has one embedding an item, so a recording of several windows leaves as their mean direction, and a
silent one, which has none, does not leave. Everything else goes in both directions: ids, the numbers to the
last bit of float32, conditioning, and keys that are not ours.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unheard.common.files import replacing
from unheard.common.progress import Report
from unheard.errors import IndexFileError, InputError
from unheard.index.published import json_file
from unheard.index.published.json_file import Entry
from unheard.index.published.json_stream import quoted
from unheard.index.store.embedder_record import EmbedderRecord
from unheard.index.store.rows import embeddings, schema
from unheard.index.store.table import Store

if TYPE_CHECKING:
    import pyarrow as pa

COMMIT = 2048
"""Entries that are written at once."""
AS_WRITTEN = "as_written"
"""Key of `further` for texts with half of a surrogate pair in them, which no store of UTF-8 holds."""


@dataclass(frozen=True)
class Imported:
    """What came of an import: entries that are new in the store, and such as were there already."""

    added: int
    present: int


@dataclass(frozen=True)
class Exported:
    """What came of an export: entries written, those that are the mean of windows, silent items left out."""

    items: int
    averaged: int
    silent: int


def import_json(
    path: str | Path, uri: str | Path, *, embedder_name: str | None = None, progress: Report | None = None
) -> Imported:
    """See `unheard.index.import_json`."""
    path = Path(path)
    entries = json_file.stream(_counted(path, progress), str(path))
    batch = list(islice(entries, COMMIT))
    embedder = _embedder_of(batch, embedder_name, path)
    _check_alone(batch, embedder, str(path))  # before anything is made: a wrong file leaves no trace
    store = Store.open_or_create(uri, embedder)
    store.embedder.check(embedder, store.uri)
    in_file, in_store = _Hashes(), _Hashes()
    for stored in store.batches(["id"], 1 << 16):
        in_store.add(stored["id"].to_pylist())
    added = present = 0
    while batch:
        rows = _rows(batch, store.embedder, str(path))
        ids = rows["id"].to_pylist()
        _check_once(ids, in_file, store, str(path))
        known = _check_unchanged(rows, [one for one in ids if one in in_store], store, str(path))
        in_file.add(ids)
        new = rows.filter([one not in known for one in ids]) if known else rows
        added += store.append(new) if len(new) else 0
        present += len(known)
        batch = list(islice(entries, COMMIT))
    store.optimize()
    return Imported(added, present)


def export_json(uri: str | Path, path: str | Path, *, progress: Report | None = None) -> Exported:
    """See `unheard.index.export_json`."""
    store = Store.open(uri)
    items = _Items(store, progress)
    entries = iter(items)
    first = next(entries, None)
    if first is None:
        raise InputError(f"cannot write {path}: {uri} holds no sound that is not silent")
    with replacing(path) as file:
        for line in json_file.lines(chain([first], entries)):
            file.write(line)
    return Exported(items.written, items.averaged, items.silent)


def _counted(path: Path, progress: Report | None) -> Iterator[bytes]:
    """The file's content in blocks, with progress."""
    read = 0
    for block in json_file.blocks(path):
        yield block
        read += len(block)
        if progress is not None:
            progress(read, path.stat().st_size)


def _embedder_of(batch: list[tuple[str, Entry]], embedder_name: str | None, path: Path) -> EmbedderRecord:
    """The embedder that the entries name or that is given."""
    written = next((entry["embedder"] for _, entry in batch if "embedder" in entry), None)
    if None not in (written, embedder_name) and written != embedder_name:
        raise IndexFileError(f"{path} was made by the embedder {written!r}, not by {embedder_name!r}")
    return EmbedderRecord(name=written or embedder_name, dimension=len(batch[0][1]["embedding"]))


def _check_alone(batch: list[tuple[str, Entry]], embedder: EmbedderRecord, source: str) -> None:
    """Raise IndexFileError for entries that no store takes, whatever it holds."""
    _check_different(_rows(batch, embedder, source)["id"].to_pylist(), source)


def _rows(batch: list[tuple[str, Entry]], embedder: EmbedderRecord, source: str) -> pa.Table:
    """Checked entries as rows of one window each."""
    import pyarrow as pa

    vectors = np.empty((len(batch), embedder.dimension), dtype=np.float32)
    columns: dict[str, list[Any]] = {name: [] for name in schema(embedder.dimension).names}
    for row, (identifier, entry) in zip(vectors, batch, strict=True):
        where = f"{source}: id {quoted(identifier)}"
        if entry.get("embedder", embedder.name) != embedder.name:
            raise IndexFileError(
                f"{where} was made by the embedder {quoted(entry['embedder'])}, but the index by {embedder}"
            )
        row[:] = _single(entry["embedding"], where)
        conditioning = entry["conditioning"]
        values = {
            "id": _utf8(identifier),
            "window": 0,
            "window_start": float(conditioning["seconds_start"]),
            "window_end": float(conditioning["seconds_total"]),
            "prompt": _utf8(conditioning["prompt"]),
            "seconds_start": float(conditioning["seconds_start"]),
            "seconds_total": float(conditioning["seconds_total"]),
            "silent": False,
            "further": _further(identifier, entry),
        }
        for name, column in columns.items():
            column.append(values.get(name))
    columns["embedding"] = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), embedder.dimension)
    return pa.table(columns, schema=schema(embedder.dimension))


def _single(embedding: np.ndarray, where: str) -> np.ndarray:
    """In float32; IndexFileError where that has no room for a number, or none is left."""
    with np.errstate(over="ignore", under="ignore"):
        single = embedding.astype(np.float32)
    if not np.isfinite(single).all():
        position = int(np.argmin(np.isfinite(single)))
        raise IndexFileError(f"{where}: embedding[{position}] is {embedding[position]}, beyond float32")
    if not single.any():
        raise IndexFileError(f"{where}: embedding is all zeros in float32, so it has no direction")
    return single


def _utf8(text: str) -> str:
    """With a backslash escape for half of a surrogate pair."""
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")


def _further(identifier: str, entry: Entry) -> str | None:
    """What no column holds, as a JSON object; None if that is nothing."""
    further = {key: value for key, value in entry.items() if key not in ("embedding", "embedder")}
    conditioning = further.pop("conditioning")
    unknown = {
        key: value
        for key, value in conditioning.items()
        if key not in ("prompt", "seconds_start", "seconds_total")
    }
    if unknown:
        further["conditioning"] = unknown
    texts = {"id": identifier, "prompt": conditioning["prompt"]}
    if escaped := {name: text for name, text in texts.items() if _utf8(text) != text}:
        further[AS_WRITTEN] = escaped
    return json.dumps(further, default=np.ndarray.tolist) if further else None


def _check_different(ids: Sequence[str], source: str) -> None:
    met: set[str] = set()
    for identifier in ids:
        if identifier in met:
            raise json_file.twice(identifier, source)
        met.add(identifier)


def _check_once(ids: Sequence[str], seen: _Hashes, store: Store, source: str) -> None:
    """Raise IndexFileError if an id occurs twice in the batch, or has been in the file before it."""
    _check_different(ids, source)
    # By their hashes; of two ids with one hash, only one that was written is in the store.
    if again := [identifier for identifier in ids if identifier in seen]:
        for identifier in store.where(again, ["id"])["id"].to_pylist():
            raise json_file.twice(identifier, source)


def _check_unchanged(rows: pa.Table, ids: Sequence[str], store: Store, source: str) -> set[str]:
    """Those of the ids that the store has; IndexFileError if it has one with another content."""
    if not ids:
        return set()
    names = ["embedding", "prompt", "seconds_start", "seconds_total", "further"]
    stored = {row["id"]: row for row in store.where(ids, ["id", *names]).to_pylist()}
    for row in rows.to_pylist():
        there = stored.get(row["id"])
        if there is not None and any(row[name] != there[name] for name in names):
            raise IndexFileError(
                f"{source}: id {quoted(row['id'])} is in {store.uri} already, with another content; "
                "remove it there first, or import into a new index"
            )
    return set(stored)


class _Hashes:
    """A set of texts by their 64-bit hashes, 8 bytes each: all that was added, and hardly anything else."""

    def __init__(self) -> None:
        self._sorted = np.empty(0, dtype=np.int64)

    def add(self, texts: Iterable[str]) -> None:
        new = np.sort(np.array([hash(text) for text in texts], dtype=np.int64))
        self._sorted = np.insert(self._sorted, np.searchsorted(self._sorted, new), new)

    def __contains__(self, text: str) -> bool:
        position = np.searchsorted(self._sorted, hash(text))
        return bool(position < len(self._sorted) and self._sorted[position] == hash(text))


class _Items:
    """The entries of a store one after the other, in its order; windows of one recording become one entry.

    Attributes:
        written, averaged, silent: so far, entries, those of several windows, and items left out.
    """

    def __init__(self, store: Store, progress: Report | None) -> None:
        self.store = store
        self.progress = progress
        self.written = self.averaged = self.silent = 0

    def __iter__(self) -> Iterator[tuple[str, Entry]]:
        awaited = self._windows_of_long_items()
        collected: dict[str, list[dict[str, Any]]] = defaultdict(list)
        read, total = 0, len(self.store)
        for batch in self.store.batches(
            ["id", "window", "prompt", "seconds_start", "seconds_total", "silent", "further", "embedding"],
            COMMIT,
        ):
            vectors = embeddings(batch)
            for row, vector in zip(batch.drop_columns(["embedding"]).to_pylist(), vectors, strict=True):
                identifier = row["id"]
                windows = [row | {"embedding": vector}]
                if identifier in awaited:
                    # Copied, or one window would hold on to its whole batch.
                    collected[identifier].append(row | {"embedding": vector.copy()})
                    if len(collected[identifier]) < awaited[identifier]:
                        continue
                    windows = sorted(collected.pop(identifier), key=lambda window: int(window["window"]))
                audible = [window for window in windows if not window["silent"]]
                if not audible:
                    self.silent += 1
                    continue
                self.written += 1
                self.averaged += len(windows) > 1
                yield self._entry(windows[0], _direction([window["embedding"] for window in audible]))
            read += len(batch)
            if self.progress is not None:
                self.progress(read, total)

    def _windows_of_long_items(self) -> dict[str, int]:
        """How many windows each item has that has more than one."""
        counts: dict[str, int] = {}
        for batch in self.store.batches(["id", "window"], 1 << 16):
            windows = batch["window"].to_numpy()
            for row in np.flatnonzero(windows):
                identifier = batch["id"][int(row)].as_py()
                counts[identifier] = max(counts.get(identifier, 0), int(windows[row]) + 1)
        return counts

    def _entry(self, row: dict[str, Any], embedding: np.ndarray) -> tuple[str, Entry]:
        further = json.loads(row["further"]) if row["further"] else {}
        written = further.pop(AS_WRITTEN, {})
        conditioning = {
            "prompt": written.get("prompt", row["prompt"] or ""),
            "seconds_start": row["seconds_start"],
            "seconds_total": row["seconds_total"],
        }
        if isinstance(unknown := further.get("conditioning"), dict):
            conditioning |= {key: unknown[key] for key in unknown if key not in conditioning}
        entry: Entry = {"embedding": embedding, "conditioning": conditioning}
        if self.store.embedder.name is not None:
            entry["embedder"] = self.store.embedder.name
        return written.get("id", row["id"]), entry | {
            key: further[key] for key in further if key not in entry
        }


def _direction(windows: list[np.ndarray]) -> np.ndarray:
    """The mean of the windows' directions at unit length, float32; a single window as it is."""
    if len(windows) == 1:
        return windows[0]
    rows = np.stack(windows).astype(np.float64)
    mean = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).mean(axis=0)
    direction: np.ndarray = (mean / np.linalg.norm(mean)).astype(np.float32)
    return direction
