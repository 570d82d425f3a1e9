"""The training set on disk: a LanceDB table with one row a window, in a folder or an object store.

Every write is one commit of Lance's: it is there wholly or not at all, and readers go on seeing what they
opened. The embedder that made the rows stands in the table's metadata, written once.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from unheard.errors import IndexFileError, InputError
from unheard.index.store.embedder_record import EmbedderRecord
from unheard.index.store.fingerprints import FingerprintTable
from unheard.index.store.lance import connected, explained, flush, insistent, is_conflict, open_table, pyarrow
from unheard.index.store.locations import located
from unheard.index.store.repair import drop_abandoned
from unheard.index.store.rows import TABLE, checksum, digest_field, schema, with_digests
from unheard.index.store.uri import checked_uri, is_local
from unheard.index.store.verification import problems

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = "1"


class Store:
    """A training set on disk, at one version: what it held when it was opened, or last written to from here.

    Columns of a row: `id`; `window`, its number within the item, and `window_start`, `window_end` in seconds
    of the recording; `embedding`, float32 [dimension]; `prompt`, null without a caption; `seconds_start`,
    `seconds_total`, the timing the model was trained with; `content_sha256` of the sound file's bytes, null
    where it was imported; `source`, an absolute path, a URI, or `shard.tar::member` of one; `silent`, without
    meaningful direction; `further`, a JSON object of whatever else is known; `digest`, which `verify`
    compares.
    """

    def __init__(self, uri: str, table: Any) -> None:
        self.uri = uri
        self._table = table
        self._on_disk = time.time_ns()
        self.embedder = _recorded_embedder(uri, table.schema.metadata or {})

    @classmethod
    def create(cls, uri: str | Path, embedder: EmbedderRecord) -> Self:
        """A new, empty store in a folder (made if it is not there) or at an object store's URI.

        Raises:
            InputError: something is there already, or nothing can be written there.
        """
        uri = checked_uri(uri)
        if cls.exists(uri):
            raise InputError(f"there is an index at {uri} already; add to it, or choose another folder")
        if is_local(uri) and _holds_other_things(Path(uri)):
            raise InputError(f"{uri} is a folder with other things in it; choose a new folder for the index")
        fields = [*schema(embedder.dimension), digest_field()]
        metadata: dict[str, str | bytes] = {
            "unheard.format": FORMAT,
            "unheard.embedder": json.dumps(asdict(embedder)),
        }
        if is_local(uri):
            metadata["unheard.made_in"] = os.fsencode(os.path.abspath(uri))
        try:
            with explained(f"cannot make an index at {uri}"):
                table = connected(uri).create_table(TABLE, schema=pyarrow().schema(fields, metadata=metadata))
        except IndexFileError as error:
            raise InputError(f"{error}; choose a folder that can be written") from error
        return cls(uri, table)

    @classmethod
    def open_or_create(cls, uri: str | Path, embedder: EmbedderRecord) -> Self:
        """The store that is there, by whatever embedder, or a new one; other processes may do the same.

        Raises:
            IndexFileError: it is damaged.
            InputError: nothing can be written there.
        """
        if not cls.exists(uri):
            try:
                return cls.create(uri, embedder)
            except InputError:
                if not cls.exists(uri):  # else another process was first, and it is no longer new
                    raise
        return cls.open(uri)

    @classmethod
    def open(cls, uri: str | Path) -> Self:
        """An existing store at its newest version.

        Raises:
            IndexFileError: there is none, or it is damaged.
        """
        uri = checked_uri(uri)
        if not cls.exists(uri):
            raise IndexFileError(f"{uri} is no index; make one with `unheard index build`")
        with explained(f"cannot open the index {uri}, which seems damaged"):
            return cls(uri, open_table(connected(uri), uri, TABLE))

    @classmethod
    def exists(cls, uri: str | Path) -> bool:
        """Whether there is a store: one that was killed while it was made, before its first commit, is none.

        Raises:
            IndexFileError: a folder or an object store that cannot be reached.
        """
        uri = checked_uri(uri)
        with explained(f"cannot reach {uri}"):
            if is_local(uri):
                return any((Path(uri) / f"{TABLE}.lance" / "_versions").glob("*.manifest"))
            return TABLE in connected(uri).list_tables().tables

    @property
    def version(self) -> int:
        """Number of the commit that is seen; grows with every write."""
        return int(self._table.version)

    @property
    def table(self) -> Any:
        """The LanceDB table, for an approximate index."""
        return self._table

    def locate(self, source: str) -> str | None:
        """Where a recording is available that the index says is at `source`; None where it is not."""
        made_in = (self._table.schema.metadata or {}).get(b"unheard.made_in")
        folder = self.uri if is_local(self.uri) else None
        return located(source, folder, None if made_in is None else os.fsdecode(made_in))

    def __len__(self) -> int:
        """Rows, that is windows."""
        with self._reading():
            return int(self._table.count_rows())

    def refresh(self) -> None:
        """See what other processes have written since."""
        with self._reading():
            self._table.checkout_latest()

    def append(self, rows: pa.Table) -> int:
        """Add whole items in one commit; items whose id is there already are left as they are.

        Several processes may append at once: none loses an item, and of two that bring the same id one wins.

        Args:
            rows: as `schema(dimension)` has it.

        Returns:
            How many rows were new.

        Raises:
            InputError: rows of another schema, or nothing can be written.
        """
        complete = with_digests(rows, self.embedder.dimension, self.uri)
        merge = self._table.merge_insert("id").when_not_matched_insert_all()
        return int(self._commit(lambda: merge.execute(complete)).num_inserted_rows)

    def replace(self, rows: pa.Table) -> None:
        """Write these items over those with their ids, in one commit; new ids are added.

        Raises:
            InputError: as `append`.
        """
        complete = with_digests(rows, self.embedder.dimension, self.uri)
        ids = pyarrow().compute.unique(complete["id"]).to_pylist()
        merge = (
            self._table.merge_insert(["id", "window"])
            .when_matched_update_all()
            .when_not_matched_insert_all()
            .when_not_matched_by_source_delete(f"id IN ({_literals(ids)})")
        )
        self._commit(lambda: merge.execute(complete))

    def remove(self, ids: Sequence[str]) -> int:
        """Remove items in one commit, and then their fingerprints; returns how many of the ids were there.

        Raises:
            InputError: nothing can be written.
        """
        if not ids:
            return 0
        condition = f"id IN ({_literals(ids)})"
        with self._reading():
            self._table.checkout_latest()
            found = self._table.search().where(condition).select(["id"]).to_arrow()["id"]
        self._commit(lambda: self._table.delete(condition))
        self.forget_removed()
        return len(found.unique())

    def forget_removed(self) -> None:
        """Take out the fingerprints of sounds that no item has any more.

        Raises:
            InputError: nothing can be written.
        """
        left = (
            content
            for batch in self.batches(["content_sha256"], 1 << 16)
            for content in batch["content_sha256"].to_pylist()
        )
        FingerprintTable(self.uri).forget_all_but(left)

    def batches(self, columns: Sequence[str], batch_size: int = 8192) -> Iterator[pa.RecordBatch]:
        """All rows in the order of this version, which every reader of it sees.

        Args:
            columns: names; `_rowid` is Lance's number of the row.
            batch_size: rows at most in a batch.

        Raises:
            IndexFileError: a part is missing or damaged.
        """
        query = self._table.search()
        if "_rowid" in columns:
            query = query.with_row_id(True)
        with self._reading():
            for batch in query.select([name for name in columns if name != "_rowid"]).to_batches(batch_size):
                yield batch.select(list(columns))

    def take(self, positions: np.ndarray | Sequence[int], columns: Sequence[str]) -> pa.Table:
        """The rows at these positions of `batches`' order, in the order given.

        Raises:
            IndexFileError: a part is missing or damaged.
        """
        pa = pyarrow()
        distinct, order = np.unique(np.asarray(positions, dtype=np.int64), return_inverse=True)
        with self._reading():
            found = self._table.take_offsets(distinct.tolist()).select(list(columns)).to_arrow()
        return found.select(list(columns)).take(pa.array(order))

    def where(self, ids: Sequence[str], columns: Sequence[str]) -> pa.Table:
        """The rows of the items with these ids."""
        with self._reading():
            query = self._table.search().where(f"id IN ({_literals(ids)})")
            return query.select(list(columns)).to_arrow().select(list(columns))

    @property
    def checksum(self) -> str:
        """Fingerprint of the rows, whatever the order and the history in which they came (hexadecimal).

        It costs a read of 16 bytes a row, and tells accidents and changes apart, not forgeries.
        """
        digests = (batch["digest"].to_pylist() for batch in self.batches(["digest"], 1 << 16))
        return checksum(digests, len(self), self.embedder)

    def verify(self) -> list[str]:
        """Read everything; what is wrong, one sentence each, empty for a sound store: see `problems`."""
        return list(problems(self.batches([*schema(self.embedder.dimension).names, "digest"])))

    def optimize(self) -> None:
        """Join the parts that many small commits leave, and drop versions older than a week.

        What killed writers left half written a day ago goes as well. Where another process writes to the same
        parts just now, they are left to the next time.
        """
        drop_abandoned(self.uri)
        with explained(f"cannot optimize the index {self.uri}", InputError):
            try:
                self._table.optimize()
            except (RuntimeError, OSError) as error:
                if not is_conflict(error):
                    raise

    def contents(self) -> dict[str, str]:
        """SHA-256 of the items' sound files by id, as they were when they were embedded; of those known."""
        pairs = (
            pair
            for batch in self.batches(["id", "content_sha256"], 1 << 16)
            for pair in zip(batch["id"].to_pylist(), batch["content_sha256"].to_pylist(), strict=True)
        )
        return {item: content for item, content in pairs if content}

    def _commit(self, write: Callable[[], Any]) -> Any:
        """Carry out a write, and wait until it is on the disk."""
        result = insistent(self._table, write, self.uri)
        since, self._on_disk = self._on_disk, time.time_ns()
        flush(self.uri, TABLE, since)
        return result

    def _reading(self) -> AbstractContextManager[None]:
        return explained(f"cannot read the index {self.uri}: it is damaged or out of reach")


def _recorded_embedder(uri: str, metadata: dict[bytes, bytes]) -> EmbedderRecord:
    written = metadata.get(b"unheard.format", b"none").decode()
    if written != FORMAT:
        raise IndexFileError(
            f"{uri} is a LanceDB table of format {written!r}, not {FORMAT!r}: it was not made by this "
            "version of `unheard index`; build it again"
        )
    try:
        return EmbedderRecord(**json.loads(metadata[b"unheard.embedder"]))
    except (KeyError, TypeError, ValueError) as error:
        raise IndexFileError(
            f"{uri} does not say which embedder made it ({error}); build it again"
        ) from error


def _holds_other_things(folder: Path) -> bool:
    """Whether there is anything but what a store leaves that was killed while it was made."""
    return folder.is_dir() and any(path.name != f"{TABLE}.lance" for path in folder.iterdir())


def _literals(ids: Sequence[str]) -> str:
    """Texts as SQL has them."""
    return ", ".join("'" + identifier.replace("'", "''") + "'" for identifier in ids)
