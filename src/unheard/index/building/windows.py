"""From decoded recordings to rows: their windows, embedded in batches of one shape.

Matrix products on batches of another size differ in their last bits. A batch here is always as large as the
embedder makes it, filled up with zeros if need be, so that what a window gives depends neither on its
neighbours nor on where a build was interrupted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from unheard.audio import PEAK_FLOOR, SILENCE
from unheard.index.building.decoding import Decoded
from unheard.index.building.heap import HEAP
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


@dataclass
class _Waiting:
    """A recording of which not all windows are embedded."""

    decoded: Decoded
    starts: list[int]
    embeddings: list[np.ndarray] = field(default_factory=list)
    silent: list[bool] = field(default_factory=list)


class Windows:
    """Decoded recordings in, embedded ones out, in the same order.

    Args:
        embedder: is given full batches, whatever recordings the windows are of.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self._recordings: deque[_Waiting] = deque()
        self._windows: list[tuple[_Waiting, Tensor]] = []

    def add(self, decoded: Decoded) -> Iterator[Embedded]:
        """Take a recording, and give back what is finished by now."""
        samples = decoded.open()
        waiting = _Waiting(decoded, decoded.starts or self.embedder.window_starts(len(samples)))
        self._recordings.append(waiting)
        for start in waiting.starts:
            window = torch.from_numpy(np.array(samples[start : start + self.embedder.window_samples]))
            waiting.silent.append(bool(window.abs().max() < SILENCE))
            self._windows.append((waiting, self.embedder.fill(window / max(decoded.peak, PEAK_FLOOR))))
            if len(self._windows) == self.embedder.batch:
                self._embed()
        del samples
        decoded.close()
        yield from self._finished()

    def flush(self) -> Iterator[Embedded]:
        """Finish what waits for a full batch."""
        if self._windows:
            self._embed()
        yield from self._finished()

    @torch.no_grad()
    def _embed(self) -> None:
        vectors = self.embedder.embed_batch(torch.stack([window for _, window in self._windows]))
        for (waiting, _), vector in zip(self._windows, vectors.float().cpu().numpy(), strict=True):
            waiting.embeddings.append(vector)
        self._windows = []
        HEAP.trim()

    def _finished(self) -> Iterator[Embedded]:
        while self._recordings and len(self._recordings[0].embeddings) == len(self._recordings[0].starts):
            done = self._recordings.popleft()
            yield embedded(done.decoded, done.starts, np.stack(done.embeddings), done.silent, self.embedder)


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
