"""The rows of a store: their columns, and the digests by which damage and change are told."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from unheard.errors import InputError
from unheard.index.store.embedder_record import EmbedderRecord
from unheard.index.store.lance import pyarrow

if TYPE_CHECKING:
    import pyarrow as pa

TABLE = "windows"
DIGEST_BYTES = 16


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


def digest_field() -> pa.Field:
    """The column `digest`, which the store adds to those of `schema`."""
    return pyarrow().field("digest", pyarrow().binary(DIGEST_BYTES), False)


def with_digests(rows: pa.Table, dimension: int, uri: str) -> pa.Table:
    """The rows in the columns of the store at a URI, with their digests.

    Raises:
        InputError: a column is missing, or of another type.
    """
    expected = schema(dimension)
    try:
        rows = rows.select(expected.names).cast(expected)
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"rows for {uri} must have the columns of its schema: {error}") from error
    return rows.append_column(digest_field(), pyarrow().array(row_digests(rows), digest_field().type))


def row_digests(rows: pa.Table) -> list[bytes]:
    """For each row 16 bytes of SHA-256 over what a search answers with.

    That is all but `source` and `further`, so that a training set that was moved keeps its checksum.
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


def checksum(digests: Iterable[list[bytes]], count: int, embedder: EmbedderRecord) -> str:
    """Fingerprint of rows in any order (hexadecimal), from their digests.

    The digests added up modulo 2^128, hashed with their number and the embedder: it tells accidents and
    changes apart, not forgeries.

    Args:
        digests: of all rows, in lists of any length.
        count: of the rows.
        embedder: who made the embeddings.
    """
    total = 0
    for some in digests:
        lanes = np.frombuffer(b"".join(some), "<u4").reshape(-1, DIGEST_BYTES // 4)
        sums = lanes.sum(axis=0, dtype=np.uint64)
        total += sum(int(lane) << 32 * number for number, lane in enumerate(sums))
    digest = hashlib.sha256(json.dumps([count, embedder.dimension, embedder.name]).encode())
    digest.update((total % (1 << 8 * DIGEST_BYTES)).to_bytes(DIGEST_BYTES, "little"))
    return digest.hexdigest()


def embeddings(rows: pa.Table | pa.RecordBatch) -> np.ndarray:
    """The column `embedding` as float32 [rows, dimension], without a copy where it is in one piece."""
    column: Any = rows["embedding"]
    if hasattr(column, "combine_chunks"):
        column = column.combine_chunks()
    vectors: np.ndarray = column.flatten().to_numpy(zero_copy_only=False)
    return vectors.reshape(len(rows), -1)
