"""The training set as it is read: which item is nearest to a sound, and what is its caption."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from unheard.common.checks import require_whole
from unheard.common.texts import plural
from unheard.embedders import Embedder
from unheard.errors import InputError
from unheard.index.searching.captions import Captions
from unheard.index.searching.json_cache import read_cached
from unheard.index.searching.snapshot import Snapshot
from unheard.index.searching.stored import read_store
from unheard.index.store.embedder_record import EmbedderRecord
from unheard.index.store.table import Store
from unheard.index.store.uri import is_local, is_store


@dataclass(frozen=True)
class Item:
    """A training item, and the part of it: its id, its caption, which seconds of how long a recording it is.

    `window_start` and `window_end` are the seconds of the recording that were embedded; None in a JSON file,
    which has one embedding an item.
    """

    id: str
    prompt: str
    seconds_start: float
    seconds_total: float
    window_start: float | None = None
    window_end: float | None = None


class Index:
    """A training set: embeddings, captions and timings, searched by cosine. It is only read here.

    `unheard.index.build` and its siblings write to an index on disk, `JSONIndex` to a JSON file.

    Args:
        snapshot: what it holds.
        path: where it was read from (a path, an object store's URI as text), or None.

    Attributes:
        device: where it searches.
    """

    def __init__(self, snapshot: Snapshot, path: Path | str | None = None) -> None:
        self._snapshot, self._path = snapshot, path
        self.device = torch.device("cpu")

    @classmethod
    def open(cls, path: str | Path, *, device: str | torch.device = "cpu") -> Index:
        """Read an index: a JSON file in the published format, or what `unheard.index.build` made.

        Args:
            path: a file, which is read once and then from the user's cache, see
                `unheard.index.searching.json_cache`; or the folder or object store's URI of an index on disk,
                of which the embeddings are held in memory as float32 up to a size, see
                `unheard.index.searching.stored`.
            device: where it searches.

        Raises:
            IndexFileError: it cannot be read, or an entry is malformed; names the id.
        """
        if not is_store(path):
            return Index(read_cached(path), Path(path)).to(device)
        store = Store.open(path)
        return Index(read_store(store), Path(store.uri) if is_local(store.uri) else store.uri).to(device)

    def __repr__(self) -> str:
        items, made_by = len(set(self.ids)), self.embedder.name or "an embedder that is not recorded"
        return (
            f"<Index {self.path or 'in memory'}: {plural(items, 'item')} in {plural(len(self), 'window')}, "
            f"{self.dimension} numbers each by {made_by}, on {self.device}>"
        )

    def to(self, device: str | torch.device) -> Self:
        """Search on this device from now on; returns the index itself."""
        self.device = torch.device(device)
        self._snapshot.vectors.to(self.device)
        return self

    def __len__(self) -> int:
        """Positions; long recordings in an index on disk have one for each of their windows."""
        return len(self.ids)

    @property
    def path(self) -> Path | str | None:
        """Where it was read from (a path, an object store's URI as text), or None."""
        return self._path

    @property
    def ids(self) -> list[str]:
        """Of the item at each position."""
        return self._snapshot.ids

    @property
    def prompts(self) -> list[str]:
        """The caption of the item at each position; empty where it has none."""
        return self._snapshot.prompts

    @property
    def seconds_start(self) -> list[float]:
        """Seconds into its recording at which the item at each position begins."""
        return self._snapshot.seconds_start

    @property
    def seconds_total(self) -> list[float]:
        """Seconds of the recording of the item at each position."""
        return self._snapshot.seconds_total

    @property
    def windows(self) -> list[tuple[float, float]] | None:
        """Seconds at which the embedded windows begin and end; None where they are not recorded."""
        return self._snapshot.windows

    @property
    def sources(self) -> list[str | None]:
        """The sound file of each position, None where it is not known, as in the published format."""
        return self._snapshot.sources

    @property
    def store(self) -> Store | None:
        """The index on disk that it was read from; None for a JSON file."""
        return self._snapshot.store

    @property
    def embedder(self) -> EmbedderRecord:
        """Who made the embeddings, as far as it is recorded."""
        return self._snapshot.embedder

    @property
    def dimension(self) -> int:
        """Numbers in an embedding; 0 for an empty index without a file."""
        return self.embedder.dimension

    @property
    def sha256(self) -> str:
        """Checksum of the JSON file as it was read, or of the index on disk, see `Store.checksum`."""
        return self._snapshot.sha256

    @property
    def captions(self) -> Captions:
        """Its captions, to look positions up by."""
        return self._snapshot.captions

    @property
    def items(self) -> int:
        """How many different items; positions are more where items have several windows."""
        return len(set(self.ids))

    @property
    def uncaptioned(self) -> list[str]:
        """Ids of the items whose caption is empty: deduplication has nothing to push away from there."""
        bare = (item for item, prompt in zip(self.ids, self.prompts, strict=True) if not prompt.strip())
        return list(dict.fromkeys(bare))

    def item(self, position: int) -> Item:
        """The item at a position, as `search` gives it."""
        window = (None, None) if self.windows is None else self.windows[position]
        return Item(
            self.ids[position],
            self.prompts[position],
            self.seconds_start[position],
            self.seconds_total[position],
            *window,
        )

    def vectors(self, positions: Tensor) -> Tensor:
        """Positions [batch] to unit vectors [batch, dimension], float32 on the index's device."""
        return self._snapshot.vectors.unit(positions)

    @torch.no_grad()
    def search(self, queries: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
        """The k nearest items of each query, by cosine.

        Exact, but for an index on disk that is too large to compare with all of it (see
        `unheard.index.searching.approximate`): there, now and then, another item is nearer than the nearest
        found. Of equally near items (one sound many times in the training set) those come first that stand
        first in the index.

        Args:
            queries: [batch, dimension], usually of unit length.
            k: how many; as many as there are items, if there are fewer.

        Returns:
            Similarities [batch, k] in -1 to 1, falling, in the queries' precision but float32 at least, and
            positions [batch, k], both on the queries' device. A query with a NaN or an infinity in it gets
            NaN and the first k.

        Raises:
            InputError: the index is empty, k is below 1, or the queries are of another dimension.
        """
        if not len(self):
            raise InputError("cannot search an empty index; add sounds to it")
        require_whole("k", k, 1)
        if queries.ndim != 2 or queries.shape[1] != self.dimension:
            raise InputError(f"queries must be [batch, {self.dimension}], not {list(queries.shape)}")
        similarities, positions = self._snapshot.vectors.nearest(queries, min(k, len(self)))
        dtype = torch.promote_types(queries.dtype, torch.float32)
        return similarities.to(queries.device, dtype), positions.to(queries.device)

    def nearest(self, query: Tensor, k: int = 1) -> list[tuple[Item, float]]:
        """The k nearest items of one query [dimension] and their similarities; raises as `search`.

        Different items: of several windows of a recording the nearest alone is named.
        """
        among = k
        while True:
            similarities, positions = self.search(query[None], among)
            found: dict[str, tuple[Item, float]] = {}
            for position, similarity in zip(positions[0].tolist(), similarities[0].tolist(), strict=True):
                item = self.item(position)
                found.setdefault(item.id, (item, similarity))
            if len(found) >= k or among >= len(self):
                return list(found.values())[:k]
            among *= 4

    def check_embedder(self, embedder: Embedder) -> None:
        """Raise IndexFileError if the embeddings cannot be compared with this embedder's."""
        self.embedder.check(EmbedderRecord.of(embedder), self._source)

    @property
    def _source(self) -> str:
        """What errors call it."""
        return "the index" if self.path is None else str(self.path)
