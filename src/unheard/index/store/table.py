"""The training set on disk: a LanceDB table with one row a window, in a folder or an object store.

Every write is one commit of Lance's: it is there wholly or not at all, and readers go on seeing what they
opened. The embedder that made the rows stands in the table's metadata, written once.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from unheard.errors import IndexFileError, InputError

if TYPE_CHECKING:
    import pyarrow as pa

TABLE = "windows"
FORMAT = "1"
CONFLICT_PATIENCE = 60.0
"""Seconds in which a commit is tried again while other processes keep getting in first."""
DIGEST_BYTES = 16


@dataclass(frozen=True)
class EmbedderRecord:
    """Who made the embeddings, as far as it is known: an imported JSON file may know only the name.

    Attributes:
        name: as `Embedder.name`; None where it was never recorded.
        dimension: numbers in an embedding.
        revision: commit on the hub.
        sha256: of the weights.
        sample_rate: hertz it hears at.
        window: seconds it hears at once.
    """

    name: str | None
    dimension: int
    revision: str | None = None
    sha256: str | None = None
    sample_rate: int | None = None
    window: float | None = None

    @classmethod
    def of(cls, embedder: Any) -> Self:
        """The record of an `unheard.embedders.Embedder`."""
        return cls(
            name=embedder.name,
            dimension=embedder.dimension,
            revision=getattr(embedder, "revision", None),
            sha256=getattr(embedder, "sha256", None),
            sample_rate=getattr(embedder, "sample_rate", None),
            window=getattr(embedder, "window", None),
        )

    def __str__(self) -> str:
        known = "" if self.sha256 is None else f", weights {self.sha256[:12]}"
        name = "one that is not recorded" if self.name is None else repr(self.name)
        return f"{name} ({self.dimension} numbers{known})"

    def check(self, other: EmbedderRecord, source: str) -> None:
        """Raise IndexFileError, with both named, if `other` cannot have made the rows of `source`.

        Where both weights are known they decide, whatever the names; else the names do.
        """
        if self.sha256 is not None and other.sha256 is not None:
            alike = self.sha256 == other.sha256
        else:
            alike = None in (self.name, other.name) or self.name == other.name
        if not alike or self.dimension != other.dimension:
            raise IndexFileError(
                f"{source} was made by the embedder {self}, but this one is {other}; choose the one that "
                "made it, or make another index"
            )


def schema(dimension: int) -> pa.Schema:
    """The columns that `Store.append` takes; rows of one item stand one after the other."""
    pa = pyarrow()
    return pa.schema(
        [
            # Lance tells by the key, in the moment of a commit, that another process has added the same id.
            pa.field("id", pa.string(), False, metadata={"lance-schema:unenforced-primary-key": "true"}),
            pa.field("window", pa.int32(), False),
            pa.field("window_start", pa.float64(), False),
            pa.field("window_end", pa.float64(), False),
            pa.field("embedding", pa.list_(pa.float32(), dimension), False),
            pa.field("prompt", pa.string()),
            pa.field("seconds_start", pa.float64(), False),
            pa.field("seconds_total", pa.float64(), False),
            pa.field("content_sha256", pa.string()),
            pa.field("source", pa.string()),
            pa.field("silent", pa.bool_(), False),
            pa.field("further", pa.string()),
        ]
    )


class Store:
    """A training set on disk, at one version: what it held when it was opened, or last written to from here.

    Columns of a row: `id`; `window`, its number within the item, and `window_start`, `window_end` in seconds
    of the recording; `embedding`, float32 [dimension]; `prompt`, null without a caption; `seconds_start`,
    `seconds_total`, the timing the model was trained with; `content_sha256` of the sound file's bytes, null
    where it was imported; `source`, a path or `shard.tar::member`; `silent`, without meaningful direction;
    `further`, a JSON object of whatever else is known; `digest`, which `verify` compares.
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
        uri = _checked_uri(uri)
        if cls.exists(uri):
            raise InputError(f"there is an index at {uri} already; add to it, or choose another place")
        if _is_local(uri) and _holds_other_things(Path(uri)):
            raise InputError(f"{uri} is a folder with other things in it; choose a new place for the index")
        fields = [*schema(embedder.dimension), pyarrow().field("digest", _digest_type(), False)]
        metadata = {"unheard.format": FORMAT, "unheard.embedder": json.dumps(asdict(embedder))}
        try:
            with explained(f"cannot make an index at {uri}"):
                table = connected(uri).create_table(TABLE, schema=pyarrow().schema(fields, metadata=metadata))
        except IndexFileError as error:
            raise InputError(f"{error}; choose a place that can be written") from error
        return cls(uri, table)

    @classmethod
    def open(cls, uri: str | Path) -> Self:
        """An existing store at its newest version.

        Raises:
            IndexFileError: there is none, or it is damaged.
        """
        uri = _checked_uri(uri)
        if not cls.exists(uri):
            raise IndexFileError(f"{uri} is no index; make one with `unheard index build`")
        with explained(f"cannot open the index {uri}, which seems damaged"):
            return cls(uri, connected(uri).open_table(TABLE))

    @classmethod
    def exists(cls, uri: str | Path) -> bool:
        """Whether there is a store: one that was killed while it was made, before its first commit, is none.

        Raises:
            IndexFileError: an object store that cannot be reached.
        """
        uri = _checked_uri(uri)
        if _is_local(uri):
            return any((Path(uri) / f"{TABLE}.lance" / "_versions").glob("*.manifest"))
        with explained(f"cannot reach {uri}"):
            return TABLE in connected(uri).list_tables().tables

    @classmethod
    def step_back(cls, uri: str | Path) -> bool:
        """Take back the newest commit of a store in a folder if a power cut tore it; whether it did.

        Lance's files end with four letters, which a file lacks that was not written to its end.
        """
        uri = _checked_uri(uri)
        if not _is_local(uri):
            return False  # object stores write wholly or not at all
        folder = Path(uri) / f"{TABLE}.lance"
        newest = min((folder / "_versions").glob("*.manifest"), default=None)  # numbered downwards
        if newest is None:
            return False
        if not _is_whole(newest):
            newest.rename(newest.with_suffix(".torn"))
            (folder / "_versions" / "latest_version_hint.json").unlink(missing_ok=True)
            return True
        torn = [path for path in (folder / "data").glob("*.lance") if not _is_whole(path)]
        if not torn:
            return False
        with explained(f"cannot repair the index {uri}"):
            table = connected(uri).open_table(TABLE)
            if table.version < 2:
                return False
            table.checkout(table.version - 1)
            table.restore()
        for path in torn:
            path.rename(path.with_suffix(".torn"))
        return True

    @property
    def version(self) -> int:
        """Number of the commit that is seen; grows with every write."""
        return int(self._table.version)

    @property
    def table(self) -> Any:
        """The LanceDB table, for an approximate index."""
        return self._table

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
        merge = self._table.merge_insert("id").when_not_matched_insert_all()
        return int(self._commit(lambda: merge.execute(self._complete(rows))).num_inserted_rows)

    def replace(self, rows: pa.Table) -> None:
        """Put these items in the place of those with their ids, in one commit; new ids are added.

        Raises:
            InputError: as `append`.
        """
        ids = pyarrow().compute.unique(rows["id"]).to_pylist()
        merge = (
            self._table.merge_insert(["id", "window"])
            .when_matched_update_all()
            .when_not_matched_insert_all()
            .when_not_matched_by_source_delete(f"id IN ({_literals(ids)})")
        )
        self._commit(lambda: merge.execute(self._complete(rows)))

    def remove(self, ids: Sequence[str]) -> int:
        """Remove items in one commit, and then their fingerprints; returns how many of the ids were there.

        Raises:
            InputError: nothing can be written.
        """
        from unheard.index.store.fingerprints import FingerprintTable

        if not ids:
            return 0
        condition = f"id IN ({_literals(ids)})"
        with self._reading():
            self._table.checkout_latest()
            found = self._table.search().where(condition).select(["id"]).to_arrow()["id"]
        self._commit(lambda: self._table.delete(condition))
        FingerprintTable(self).forget_removed()
        return len(found.unique())

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
        """The rows at these positions of `batches`' order, in the order asked for.

        Raises:
            IndexFileError: a part is missing or damaged.
        """
        pa = pyarrow()
        distinct, places = np.unique(np.asarray(positions, dtype=np.int64), return_inverse=True)
        with self._reading():
            found = self._table.take_offsets(distinct.tolist()).select(list(columns)).to_arrow()
        return found.select(list(columns)).take(pa.array(places))

    def where(self, ids: Sequence[str], columns: Sequence[str]) -> pa.Table:
        """The rows of the items with these ids."""
        with self._reading():
            query = self._table.search().where(f"id IN ({_literals(ids)})")
            return query.select(list(columns)).to_arrow().select(list(columns))

    @property
    def checksum(self) -> str:
        """Fingerprint of the rows, whatever the order and the history in which they came (hexadecimal).

        The digests of the rows added up modulo 2^128, hashed with their number and the embedder: it costs a
        read of 16 bytes a row, and tells accidents and changes apart, not forgeries.
        """
        total = 0
        for batch in self.batches(["digest"], 1 << 16):
            written = b"".join(batch["digest"].to_pylist())
            lanes = np.frombuffer(written, "<u4").reshape(-1, DIGEST_BYTES // 4).sum(axis=0, dtype=np.uint64)
            total += sum(int(lane) << 32 * place for place, lane in enumerate(lanes))
        digest = hashlib.sha256(json.dumps([len(self), self.embedder.dimension, self.embedder.name]).encode())
        digest.update((total % (1 << 8 * DIGEST_BYTES)).to_bytes(DIGEST_BYTES, "little"))
        return digest.hexdigest()

    def verify(self) -> list[str]:
        """Read everything; what is wrong, one sentence each, empty for a sound store.

        Looked for: parts that cannot be read, rows whose content is not what was written, ids that occur
        twice, windows missing from an item, embeddings without a direction in rows not marked as silent.
        """
        from unheard.index.store.verification import problems

        return list(problems(self))

    def optimize(self) -> None:
        """Join the parts that many small commits leave, and drop versions older than a week.

        Where another process writes to the same parts just now, they are left to the next time.
        """
        with explained(f"cannot optimize the index {self.uri}", InputError):
            try:
                self._table.optimize()
            except (RuntimeError, OSError) as error:
                if "onflict" not in str(error):
                    raise

    def _complete(self, rows: pa.Table) -> pa.Table:
        """The rows in the table's columns, with their digests."""
        expected = schema(self.embedder.dimension)
        try:
            rows = rows.select(expected.names).cast(expected)
        except (KeyError, ValueError, TypeError) as error:
            raise InputError(f"rows for {self.uri} must have the columns of its schema: {error}") from error
        return rows.append_column(
            pyarrow().field("digest", _digest_type(), False),
            pyarrow().array(row_digests(rows), _digest_type()),
        )

    def _commit(self, write: Callable[[], Any]) -> Any:
        """Carry out a write, and wait until it is on the disk."""
        result = insistent(self._table, write, self.uri)
        since, self._on_disk = self._on_disk, time.time_ns()
        flush(self.uri, TABLE, since)
        return result

    def _reading(self) -> Any:
        return explained(f"cannot read the index {self.uri}: it is damaged or out of reach")


def insistent(table: Any, write: Callable[[], Any], uri: str) -> Any:
    """Carry out a write, again if another process got in first more often than Lance tries by itself.

    Raises:
        InputError: nothing can be written.
    """
    deadline = time.monotonic() + CONFLICT_PATIENCE
    while True:
        try:
            return write()
        except Exception as error:
            if "onflict" not in str(error) or time.monotonic() > deadline:
                with explained(f"cannot write to the index {uri}", InputError):
                    raise
            time.sleep(random.uniform(0.05, 0.5))
            table.checkout_latest()


def flush(uri: str, table: str, since: int) -> None:
    """Wait until what was written to a table in a folder since then (`time.time_ns`) is on the disk.

    Lance leaves that to the system, and a power cut.
    """
    if not _is_local(uri):
        return
    with explained(f"cannot write to the index {uri}", InputError):
        for folder, _, files in os.walk(Path(uri) / f"{table}.lance"):
            written = [path for name in files if _changed(path := os.path.join(folder, name), since)]
            for path in [*written, folder] if written else []:
                _fsync(path)


def row_digests(rows: pa.Table) -> list[bytes]:
    """For each row 16 bytes of SHA-256 over what a search answers with.

    That is all but `source` and `further`, so that one training set in two places has one checksum.
    """
    names = ["id", "prompt", "content_sha256", "silent"]
    texts = zip(*(rows[name].to_pylist() for name in names), strict=True)
    seconds = ["window_start", "window_end", "seconds_start", "seconds_total"]
    numbers = zip(*(rows[name].to_pylist() for name in seconds), strict=True)
    windows = rows["window"].to_pylist()
    digests = []
    for text, number, window, vector in zip(texts, numbers, windows, embeddings(rows), strict=True):
        digest = hashlib.sha256(json.dumps(text).encode("ascii"))
        digest.update(struct.pack("<q4d", window, *number))
        digest.update(vector.astype("<f4").tobytes())
        digests.append(digest.digest()[:DIGEST_BYTES])
    return digests


def embeddings(rows: pa.Table | pa.RecordBatch) -> np.ndarray:
    """The column `embedding` as float32 [rows, dimension], without a copy where it is in one piece."""
    column = rows["embedding"]
    if hasattr(column, "combine_chunks"):
        column = column.combine_chunks()
    return column.flatten().to_numpy(zero_copy_only=False).reshape(len(rows), -1)


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


def _checked_uri(uri: str | Path) -> str:
    text = str(uri)
    if not text.strip():
        raise InputError("an index needs a place: a folder, or a URI such as s3://bucket/index")
    if text.startswith("file://"):
        text = text.removeprefix("file://")
    if _is_local(text) and Path(text).is_file():
        raise InputError(f"{text} is a file; an index that is built is a folder: choose another name")
    return text


def _is_local(uri: str) -> bool:
    return "://" not in uri


def _holds_other_things(folder: Path) -> bool:
    """Whether there is anything but what a store leaves that was killed while it was made."""
    return folder.is_dir() and any(path.name != f"{TABLE}.lance" for path in folder.iterdir())


def connected(uri: str) -> Any:
    """The LanceDB database at a folder or URI."""
    return _lancedb().connect(uri)


def _lancedb() -> ModuleType:
    os.environ.setdefault("LANCE_LOG", "error")  # its notices are no concern of whoever builds an index
    try:
        import lancedb
    except ImportError as error:
        raise InputError(
            f"an index on disk needs lancedb ({error}); install it with `pip install lancedb pyarrow`"
        ) from error
    return lancedb


def pyarrow() -> ModuleType:
    """The library, or InputError with the command that installs it."""
    try:
        import pyarrow
        import pyarrow.compute
    except ImportError as error:
        raise InputError(
            f"an index on disk needs pyarrow ({error}); install it with `pip install lancedb pyarrow`"
        ) from error
    return pyarrow


def _changed(path: str, since: int) -> bool:
    try:
        return os.stat(path).st_mtime_ns >= since - 10**9  # file systems round times
    except FileNotFoundError:  # cleaned up by another process
        return False


def _fsync(path: str) -> None:
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_whole(path: Path) -> bool:
    with open(path, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 4))
        return file.read() == b"LANC"


def _digest_type() -> Any:
    return pyarrow().binary(DIGEST_BYTES)


def _literals(ids: Sequence[str]) -> str:
    """Texts as SQL has them."""
    return ", ".join("'" + identifier.replace("'", "''") + "'" for identifier in ids)


@contextmanager
def explained(what: str, kind: type[IndexFileError] | type[InputError] = IndexFileError) -> Iterator[None]:
    """Turn the libraries' errors into one line that begins with `what`."""
    try:
        yield
    except (OSError, RuntimeError, ValueError, TypeError) as error:
        if isinstance(error, IndexFileError | InputError):
            raise
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise kind(f"{what}: {reason[:300]}") from error
