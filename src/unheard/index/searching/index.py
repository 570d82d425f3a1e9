"""Exact cosine search over a training set in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from unheard.errors import IndexFileError, InputError
from unheard.index.published import json_file
from unheard.index.searching.captions import Wordings

COARSE_ERROR = 1e-3
"""Bound on the error of a cosine computed on the device, in float32 or in the TF32 of GPUs."""

RECHECKED_AT_ONCE = 1 << 15
"""Candidates computed again in float64 at a time: 128 MiB at 512 numbers each."""


@dataclass(frozen=True)
class Item:
    """A training item, and the place in it: its id, its caption, which seconds of how long a recording it is.

    `window_start` and `window_end` are the seconds of the recording that were embedded; None in a JSON file,
    which has one embedding an item.
    """

    id: str
    prompt: str
    seconds_start: float
    seconds_total: float
    window_start: float | None = None
    window_end: float | None = None


class Origin(Protocol):
    """What an index has to know of the embedder whose vectors it is asked about."""

    @property
    def name(self) -> str: ...

    @property
    def dimension(self) -> int: ...


class Index:
    """A training set: embeddings, captions and timings, searched by cosine.

    A new one is empty; `open` reads one. Embeddings are kept as the file has them and need not be of unit
    length.

    Attributes:
        path: where it was read from or written to last (a path, an object store's URI as text), or None.
        device: where it searches.
        ids, prompts, seconds_start, seconds_total: of the item at each position. Long recordings in an
            index on disk have a position for each of their windows.
        windows: seconds at which the embedded windows begin and end; None where they are not recorded.
    """

    ids: list[str]
    prompts: list[str]
    seconds_start: list[float]
    seconds_total: list[float]
    windows: list[tuple[float, float]] | None = None

    _exact: Tensor
    """Unit vectors [items, dimension], float64, on the CPU."""
    _unit: Tensor
    """The same in float32, on the device."""

    def __init__(self) -> None:
        self.path: Path | str | None = None
        self.device = torch.device("cpu")
        self._entries: dict[str, json_file.Entry] = {}
        self._sha256: str | None = None
        self._refresh()

    @classmethod
    def open(cls, path: str | Path, *, device: str | torch.device = "cpu") -> Index:
        """Read an index: a JSON file in the published format, or what `unheard index build` made.

        Args:
            path: a file; or the folder or object store's URI of an index on disk, of which the embeddings are
                held in memory as float32 up to a size, see `unheard.index.searching.stored`.
            device: where it searches.

        Raises:
            IndexFileError: it cannot be read, or an entry is malformed; names the id and the place.
        """
        if "://" in str(path) or Path(path).is_dir():
            from unheard.index.searching.stored import open_stored  # brings LanceDB

            return open_stored(path).to(device)
        index = cls()
        index.path = Path(path)
        index._entries, index._sha256 = json_file.read(path)
        index._refresh()
        return index.to(device)

    def save(self, path: str | Path) -> None:
        """Write the index, wholly or not at all, with everything that was in the file it came from.

        Raises:
            InputError: the file cannot be written, or the index is empty.
        """
        self._sha256 = json_file.write(path, self._entries)
        self.path = Path(path)

    def to(self, device: str | torch.device) -> Self:
        """Search on this device from now on; returns the index itself."""
        self.device = torch.device(device)
        self._unit = self._unit.to(self.device)
        return self

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def embedder_name(self) -> str | None:
        """The embedder recorded in the entries, or None if none is."""
        return next((entry["embedder"] for entry in self._entries.values() if "embedder" in entry), None)

    @property
    def dimension(self) -> int:
        """Numbers in an embedding; 0 for an empty index without a file."""
        return self._unit.shape[1]

    @property
    def sha256(self) -> str:
        """Checksum of the file as it was read or written last; after `add`, of what `save` would write."""
        if self._sha256 is None:
            digest = hashlib.sha256()
            for line in json_file.lines(self._entries.items()):
                digest.update(line)
            self._sha256 = digest.hexdigest()
        return self._sha256

    @property
    def items(self) -> int:
        """How many different items; positions are more where items have several windows."""
        return len(set(self.ids))

    @property
    def sources(self) -> list[str | None]:
        """The sound file of each position, None where it is not known, as in the published format."""
        return [None] * len(self)

    @property
    def uncaptioned(self) -> list[str]:
        """Ids of the items whose caption is empty: deduplication has nothing to push away from there."""
        bare = (item for item, prompt in zip(self.ids, self.prompts, strict=True) if not prompt.strip())
        return list(dict.fromkeys(bare))

    @cached_property
    def wordings(self) -> Wordings:
        """Its captions, to look up."""
        return Wordings(self.ids, self.prompts)

    @property
    def _source(self) -> str:
        return "the index" if self.path is None else str(self.path)

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
        return self._unit[positions.to(self.device)]

    @torch.no_grad()
    def search(self, queries: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
        """The k nearest items of each query, by cosine.

        Exact: what the device finds within its error of the k-th place is computed again in float64. Thus the
        same query finds the same items in any batch and on any device, and of equally near ones (one sound
        many times in the training set) those that stand first in the index.

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
        k = self._checked(queries, k)
        coarse = F.normalize(queries.to(self.device, torch.float32), dim=-1) @ self._unit.T
        within_reach = coarse >= coarse.topk(k).values[:, -1:] - 2 * COARSE_ERROR
        rows, candidates = within_reach.nonzero().cpu().unbind(1)
        exact_queries = F.normalize(queries.to("cpu", torch.float64), dim=-1)
        exact = torch.cat(
            [
                (self._exact_vectors(few) * exact_queries[of]).sum(dim=-1)
                for few, of in zip(
                    candidates.split(RECHECKED_AT_ONCE), rows.split(RECHECKED_AT_ONCE), strict=True
                )
            ]
        )

        similarities = torch.full((len(queries), k), torch.nan, dtype=torch.float64)
        positions = torch.arange(k).repeat(len(queries), 1)
        counts = rows.bincount(minlength=len(queries)).tolist()
        for query, (found, places) in enumerate(
            zip(exact.split(counts), candidates.split(counts), strict=True)
        ):
            if len(found):
                ordered, order = found.sort(descending=True, stable=True)
                similarities[query] = ordered[:k].clamp(-1, 1)
                positions[query] = places[order[:k]]
        dtype = torch.promote_types(queries.dtype, torch.float32)
        return similarities.to(queries.device, dtype), positions.to(queries.device)

    def _checked(self, queries: Tensor, k: int) -> int:
        """k, or as many as there are; raises as `search`."""
        if not len(self):
            raise InputError("cannot search an empty index; add sounds to it")
        if k < 1:
            raise InputError(f"k must be 1 or more, not {k}")
        if queries.ndim != 2 or queries.shape[1] != self.dimension:
            raise InputError(f"queries must be [batch, {self.dimension}], not {list(queries.shape)}")
        return min(k, len(self))

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

    def check_embedder(self, embedder: Origin) -> None:
        """Raise IndexFileError if the embeddings cannot be compared with this embedder's."""
        made_by = f"by {self.embedder_name!r}" if self.embedder_name else "by one that is not recorded"
        if self.dimension != embedder.dimension:
            raise IndexFileError(
                f"{self._source} holds embeddings of {self.dimension} numbers, made {made_by}, but the "
                f"embedder {embedder.name!r} gives {embedder.dimension}; choose the one that made the index"
            )
        if self.embedder_name not in (None, embedder.name):
            raise IndexFileError(
                f"{self._source} was made {made_by}, but the embedder is {embedder.name!r}; choose the one "
                "that made it (if it is the same in a folder of another name, put that name into the "
                "folder's unheard.json)"
            )

    def add(
        self,
        ids: Sequence[str],
        embeddings: Tensor | np.ndarray,
        prompts: Sequence[str],
        seconds_start: Sequence[float],
        seconds_total: Sequence[float],
        *,
        embedder_name: str | None = None,
    ) -> None:
        """Add items at the end; all of them or, if one is refused, none.

        Args:
            ids: unique, also against those already there.
            embeddings: [items, dimension].
            prompts, seconds_start, seconds_total: caption and timing of each.
            embedder_name: recorded with each item.

        Raises:
            InputError: an id is there already, or the lists differ in length.
            IndexFileError: an embedding, a caption or a timing that no file may hold, or of another embedder.
        """
        rows = torch.as_tensor(embeddings).detach().to("cpu", torch.float64).numpy()
        lengths = [len(column) for column in (ids, rows, prompts, seconds_start, seconds_total)]
        if len(set(lengths)) != 1:
            raise InputError(f"ids, embeddings, prompts and timings must be equally many, not {lengths}")
        merged = dict(self._entries)
        for identifier, row, prompt, start, total in zip(
            ids, rows, prompts, seconds_start, seconds_total, strict=True
        ):
            if identifier in merged:
                raise InputError(f"the id {identifier!r} is in {self._source} already; ids must be unique")
            merged[identifier] = json_file.new_entry(
                identifier, row, prompt, start, total, embedder_name, self._source
            )
        if merged:
            json_file.check_alike(merged, self._source)
        self._entries, self._sha256 = merged, None
        self._refresh()

    def remove(self, ids: Sequence[str]) -> int:
        """Take out the items with these ids; returns how many there were."""
        before, unwanted = len(self._entries), set(ids)
        left = {name: entry for name, entry in self._entries.items() if name not in unwanted}
        if len(left) < before:
            self._entries, self._sha256 = left, None
            self._refresh()
        return before - len(left)

    def _refresh(self) -> None:
        """Work out, from the entries, what is searched and listed."""
        self.__dict__.pop("wordings", None)
        conditionings = [entry["conditioning"] for entry in self._entries.values()]
        self.ids = list(self._entries)
        self.prompts = [conditioning["prompt"] for conditioning in conditionings]
        self.seconds_start = [float(conditioning["seconds_start"]) for conditioning in conditionings]
        self.seconds_total = [float(conditioning["seconds_total"]) for conditioning in conditionings]
        # By the largest number first, so that no square overflows or vanishes.
        rows = [entry["embedding"] / np.abs(entry["embedding"]).max() for entry in self._entries.values()]
        exact = torch.from_numpy(np.stack(rows)) if rows else torch.empty(0, 0, dtype=torch.float64)
        self._exact = exact / exact.norm(dim=1, keepdim=True)
        self._unit = self._exact.to(self.device, torch.float32)

    def _exact_vectors(self, positions: Tensor) -> Tensor:
        """Positions [n] to unit vectors [n, dimension], float64 on the CPU."""
        return self._exact[positions]
