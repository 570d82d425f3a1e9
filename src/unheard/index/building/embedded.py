"""A recording with the embeddings of its windows, and the rows that it becomes. No torch in this file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unheard.index.building.decoding import Decoded
from unheard.index.building.ledger import further_json
from unheard.index.building.recording import Recording
from unheard.index.store.locations import absolute
from unheard.index.store.rows import schema

if TYPE_CHECKING:
    import pyarrow as pa

    from unheard.embedders import Embedder


@dataclass(frozen=True)
class Embedded:
    """A recording and its windows' embeddings: all that is to be stored of it.

    Attributes:
        recording: where it came from, without its content.
        content_sha256: of the file's bytes.
        seconds: its length.
        bounds: seconds at which each window begins and ends.
        embeddings: [windows, dimension], float32.
        silent: of each window, whether it has no meaningful direction.
    """

    recording: Recording
    content_sha256: str
    seconds: float
    bounds: list[tuple[float, float]]
    embeddings: np.ndarray
    silent: list[bool]


def embedded(
    decoded: Decoded, starts: list[int], vectors: np.ndarray, silent: list[bool], embedder: Embedder
) -> Embedded:
    """A recording with what came of its windows.

    Args:
        decoded: without regard to its samples.
        starts: first samples of the windows.
        vectors: [windows, dimension].
        silent: whether a window is.
        embedder: for its sample rate and window.
    """
    seconds = [start / embedder.sample_rate for start in starts]
    # A sound hardly longer than the window is embedded in one, which stands for all of it.
    ends = [*(start + embedder.window for start in seconds[:-1]), decoded.seconds]
    bounds = list(zip(seconds, ends, strict=True))
    return Embedded(decoded.recording, decoded.content_sha256, decoded.seconds, bounds, vectors, silent)


def rows(recordings: Sequence[Embedded], dimension: int) -> pa.Table:
    """What is to be stored of embedded recordings, as `Store.append` takes it."""
    import pyarrow as pa

    columns: dict[str, Any] = {name: [] for name in schema(dimension).names}
    for done in recordings:
        recording, total = done.recording, done.recording.seconds_total
        for number, ((start, end), silent) in enumerate(zip(done.bounds, done.silent, strict=True)):
            row = {
                "id": recording.id,
                "window": number,
                "window_start": start,
                "window_end": end,
                "prompt": recording.prompt,
                "seconds_start": recording.seconds_start or 0.0,
                "seconds_total": done.seconds if total is None else total,
                "content_sha256": done.content_sha256,
                "source": absolute(recording.source),
                "silent": silent,
                "further": further_json(recording.further),
            }
            for name, value in row.items():
                columns[name].append(value)
    vectors = np.concatenate([done.embeddings for done in recordings]).astype(np.float32, copy=False)
    columns["embedding"] = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), dimension)
    return pa.Table.from_pydict(columns, schema=schema(dimension))
