"""The audit's fingerprints beside the items of a store: a table of their own, by the content of the sounds.

So the fingerprints of a sound are made once, on whatever machine the store is opened, and an item that is
added costs its own alone. The items' table, its checksum and its version are not touched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from unheard.errors import InputError
from unheard.index.store.lance import connected, explained, flush, insistent, open_table, pyarrow

if TYPE_CHECKING:
    import pyarrow as pa

TABLE = "fingerprints"


class Prints(NamedTuple):
    """What a sound is found by.

    Attributes:
        windows: its fingerprints [windows, numbers], float16.
        landmarks: [2, landmarks], int32.
        moments: vectors [marks, numbers], int8.
        moments_at: their frames [marks], int32.
        seconds: how long it lasts.
    """

    windows: np.ndarray
    landmarks: np.ndarray
    moments: np.ndarray
    moments_at: np.ndarray
    seconds: float


class FingerprintTable:
    """Fingerprints of a store's sounds.

    Columns of a row: `content_sha256`, its key, of the sound file's bytes; `maker`, how the fingerprints were
    made; `seconds` of the sound; `windows`, how many fingerprints; `prints`, their numbers as little-endian
    float16, one window after the other; `landmarks`, as little-endian int32, one row after the other;
    `moments`, as int8, one vector after the other; `moments_at`, as little-endian int32. A table from before
    there were landmarks or moments is replaced by the first `add`.

    Args:
        uri: of the items' store (`Store.uri`); the table is made by the first `add`.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def read(self, maker: str) -> dict[str, Prints]:
        """What `maker` made, by content.

        Raises:
            IndexFileError: the table is damaged or out of reach.
        """
        found: dict[str, Prints] = {}
        with explained(f"cannot read the fingerprints of the index {self.uri}"):
            table = self._opened()
            if table is None:
                return found
            for batch in table.search().select(_schema().names).to_batches(1 << 13):
                for row in batch.to_pylist():
                    if row["maker"] == maker:
                        at = _rows(row["moments_at"], "<i4", 1).ravel()
                        found[row["content_sha256"]] = Prints(
                            _rows(row["prints"], "<f2", row["windows"]),
                            _rows(row["landmarks"], "<i4", 2),
                            _rows(row["moments"], "i1", len(at)),
                            at,
                            row["seconds"],
                        )
        return found

    def add(self, maker: str, made: Mapping[str, Prints]) -> None:
        """Write fingerprints in one commit; those of the same content are replaced.

        Raises:
            InputError: nothing can be written there.
        """
        rows = pyarrow().table(
            {
                "content_sha256": list(made),
                "maker": [maker] * len(made),
                "seconds": [prints.seconds for prints in made.values()],
                "windows": [len(prints.windows) for prints in made.values()],
                "prints": [prints.windows.astype("<f2").tobytes() for prints in made.values()],
                "landmarks": [prints.landmarks.astype("<i4").tobytes() for prints in made.values()],
                "moments": [prints.moments.astype("i1").tobytes() for prints in made.values()],
                "moments_at": [prints.moments_at.astype("<i4").tobytes() for prints in made.values()],
            },
            schema=_schema(),
        )
        with explained(f"cannot write to the index {self.uri}", InputError):
            table = self._opened() or self._created()
        merge = table.merge_insert("content_sha256").when_matched_update_all().when_not_matched_insert_all()
        self._commit(table, lambda: merge.execute(rows))

    def forget_all_but(self, contents: Iterable[str | None]) -> None:
        """Take out what was made of other sounds than these; they are not asked for if there is no table.

        Raises:
            IndexFileError: the table is damaged or out of reach.
            InputError: nothing can be written there.
        """
        with explained(f"cannot read the fingerprints of the index {self.uri}"):
            table = self._opened()
            if table is None:
                return
            known = table.search().select(["content_sha256"]).to_arrow()["content_sha256"].to_pylist()
        gone = set(known).difference(contents)
        if gone:
            listed = ", ".join(f"'{content}'" for content in sorted(gone))  # hexadecimal: nothing to escape
            self._commit(table, lambda: table.delete(f"content_sha256 IN ({listed})"))

    def _commit(self, table: Any, write: Callable[[], Any]) -> None:
        since = time.time_ns()
        insistent(table, write, self.uri)
        flush(self.uri, TABLE, since)

    def _created(self) -> Any:
        """An empty table; one of another schema holds nothing that can be used, and makes room."""
        database = connected(self.uri)
        if TABLE in database.list_tables().tables:
            return database.create_table(TABLE, schema=_schema(), mode="overwrite")
        return database.create_table(TABLE, schema=_schema(), exist_ok=True)

    def _opened(self) -> Any:
        """The LanceDB table at its newest version; None before the first `add` of what it is to hold."""
        database = connected(self.uri)
        if TABLE not in database.list_tables().tables:
            return None
        table = open_table(database, self.uri, TABLE)
        return table if set(_schema().names) <= set(table.schema.names) else None


def _rows(stored: bytes, kind: str, rows: int) -> np.ndarray:
    """An array [rows, numbers]; without any where there are not as many numbers for each row."""
    size = np.dtype(kind).itemsize
    whole = rows > 0 and len(stored) % (size * rows) == 0
    return np.frombuffer(stored, kind).reshape(rows, -1) if whole else np.empty((0, 0), kind)


def _schema() -> pa.Schema:
    pa = pyarrow()
    key = {"lance-schema:unenforced-primary-key": "true"}
    return pa.schema(
        [
            pa.field("content_sha256", pa.string(), False, metadata=key),
            pa.field("maker", pa.string(), False),
            pa.field("seconds", pa.float64(), False),
            pa.field("windows", pa.int32(), False),
            pa.field("prints", pa.binary(), False),
            pa.field("landmarks", pa.binary(), False),
            pa.field("moments", pa.binary(), False),
            pa.field("moments_at", pa.binary(), False),
        ]
    )
