"""A training set in a JSON file in the published format, which is added to, removed from and saved."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from unheard.common.files import locked
from unheard.errors import InputError
from unheard.index.published import json_file
from unheard.index.searching.entries import snapshot_of
from unheard.index.searching.index import Index


class JSONIndex(Index):
    """An `Index` that is changed in memory and saved as a JSON file; a new one is empty.

    Embeddings stay as the file has them and need not be of unit length.
    """

    def __init__(self) -> None:
        self._entries: dict[str, json_file.Entry] = {}
        super().__init__(snapshot_of(self._entries))

    @classmethod
    def open(cls, path: str | Path, *, device: str | torch.device = "cpu") -> JSONIndex:
        """Read a JSON file in the published format, to change it.

        Args:
            path: the file.
            device: where it searches.

        Raises:
            IndexFileError: it cannot be read, or an entry is malformed; names the id.
        """
        index = cls()
        entries, sha256 = json_file.read(path)
        index._entries, index._snapshot = entries, snapshot_of(entries, lambda: sha256)
        index._path = Path(path)
        return index.to(device)

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
        self._hold(merged)

    def remove(self, ids: Sequence[str]) -> int:
        """Take out the items with these ids; returns how many there were."""
        unwanted = {name for name in ids if name in self._entries}
        if unwanted:
            self._hold({name: entry for name, entry in self._entries.items() if name not in unwanted})
        return len(unwanted)

    def save(self, path: str | Path) -> None:
        """Write the index, wholly or not at all, with everything that was in the file it came from.

        Raises:
            InputError: the file cannot be written, or the index is empty.
        """
        sha256 = json_file.write(path, self._entries)
        self._snapshot = replace(self._snapshot, checksum=lambda: sha256)
        self._path = Path(path)

    @classmethod
    @contextmanager
    def changing(cls, path: str | Path, *, create: bool = False) -> Iterator[JSONIndex]:
        """An index to change in a block, at whose end it is saved if it did; other processes wait so long.

        Args:
            path: the file.
            create: whether to begin an empty index where there is no file.

        Raises:
            IndexFileError: it cannot be read.
            InputError: it cannot be written, or is left empty.
        """
        with locked(path):
            index = cls() if create and not os.path.exists(path) else cls.open(path)
            before = index._entries
            yield index
            if index._entries is not before:
                index.save(path)

    def _hold(self, entries: dict[str, json_file.Entry]) -> None:
        self._entries, self._snapshot = entries, snapshot_of(entries)
        self._snapshot.vectors.to(self.device)
