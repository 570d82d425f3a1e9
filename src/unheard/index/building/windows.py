"""From decoded recordings to embedded ones: their windows, in batches of one shape.

Matrix products on batches of another size differ in their last bits. A batch here is always as large as the
embedder makes it, filled up with zeros if need be, so that what a window gives depends neither on its
neighbours nor on where a build was interrupted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from unheard.audio import PEAK_FLOOR, SILENCE
from unheard.index.building.decoding import Decoded
from unheard.index.building.embedded import Embedded, embedded
from unheard.index.building.heap import HEAP

if TYPE_CHECKING:
    from unheard.embedders import Embedder


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
