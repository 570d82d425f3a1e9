"""A JSON file in the published format, read once: its numbers and captions in the user's cache.

Reading numbers as text is slow, and they take three times the memory. So the first opening writes what a
search needs into a folder of the user's cache, named after the SHA-256 of the file's content; later ones map
its numbers into memory. A note by the file's path says which content it had, so that a file that has not
changed since is not read at all.

A folder appears whole or not at all, so that processes may share the cache and any of them may be killed.
What is in it can always be made again: a damaged folder is, and a cache that cannot be written costs a
warning and the time. Nothing is written beside the JSON file, which may lie where others read it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from unheard.common.files import cache_folder, not_cached, write_whole
from unheard.common.texts import whole_characters
from unheard.errors import IndexFileError, InputError
from unheard.index.published import json_file
from unheard.index.searching.entries import directions, read_entries
from unheard.index.searching.snapshot import Snapshot
from unheard.index.searching.vectors import ExactVectors
from unheard.index.store.embedder_record import EmbedderRecord

SMALL = 1 << 20
"""Bytes up to which a file is read as it is: that takes no longer than looking after its cache."""
AT_ONCE = 1 << 11
"""Entries that are turned into directions together."""
SETTLED = 2_000_000_000
"""Nanoseconds after which a file's time tells of a later change, on any file system."""

ABANDONED = 86_400
"""Seconds after which nobody is still at work on a folder."""

UNIT, EXACT, ITEMS = "unit.f32", "exact.f64", "items.json"


def read_cached(path: str | Path) -> Snapshot:
    """What a training-set file holds, from the cache where it was read before.

    Raises:
        IndexFileError: it cannot be read, or an entry is malformed; names the id.
    """
    try:
        state = os.stat(path)
    except OSError as error:
        raise IndexFileError(f"cannot read the index {path}: {error.strerror or error}") from error
    if state.st_size <= SMALL or not os.path.isfile(path):
        return read_entries(path)
    cache = _Cache(path)
    known = cache.noted()
    if known is not None and known["state"] == _told(state) and (found := cache.read(known["sha256"])):
        return found
    if cache.holds_any:
        # Moved, copied or touched: to hash it takes a tenth of the time to read it.
        content = json_file.sha256(path)
        if (found := cache.read(content)) is not None:
            cache.note(content, state)
            return found
    return cache.make(state)


class _Cache:
    """The cache, as far as one JSON file is concerned."""

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._folder = cache_folder("json-indexes")
        name = hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:32]
        self._note = self._folder / f"{name}.json"

    @property
    def holds_any(self) -> bool:
        """Whether there is the content of any file."""
        with suppress(OSError), os.scandir(self._folder) as entries:
            return any(entry.is_dir() for entry in entries)
        return False

    def noted(self) -> dict[str, Any] | None:
        """Which content the file had when it was read last, and what told it apart then."""
        return _read_note(self._note)

    def note(self, content: str, state: os.stat_result) -> None:
        """Note what the file's content is, and drop what it was if no other file has that."""
        before = self.noted()
        told = _told(state)
        # What changed a moment ago may change again within the clock's tick: it is hashed next time.
        settled = time.time_ns() - max(state.st_mtime_ns, state.st_ctime_ns) > SETTLED
        note = {"path": str(self._path), "sha256": content, "state": told if settled else None}
        with suppress(InputError):
            write_whole(self._note, json.dumps(note).encode())
        if before is not None and before["sha256"] != content:
            self._drop(before["sha256"])

    def _drop(self, content: str) -> None:
        """Take away a content that no file is noted to have."""
        notes = (_read_note(path) for path in self._folder.glob("*.json"))
        if not any(note is not None and note["sha256"] == content for note in notes):
            shutil.rmtree(self._folder / content, ignore_errors=True)

    def read(self, content: str) -> Snapshot | None:
        """What was made of a content; None if nothing was, or, with a warning, if that is damaged."""
        folder = self._folder / content
        if not folder.is_dir():
            return None
        try:
            return _open(folder, content)
        except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
            warnings.warn(f"cannot read {folder}: {error}; it is made again", stacklevel=4)
            shutil.rmtree(folder, ignore_errors=True)
            return None

    def make(self, state: os.stat_result) -> Snapshot:
        """Read the file, and cache what it holds."""
        try:
            with self._new_folder() as folder:
                content = _write(folder, self._path)
                with suppress(OSError):  # another process was first
                    os.rename(folder, self._folder / content)
        except OSError as error:
            warnings.warn(
                f"{self._path} is read anew each time: {not_cached(self._folder, error)}",
                stacklevel=4,
            )
            return read_entries(self._path)
        found = self.read(content)
        if found is None:
            return read_entries(self._path)
        if _told(os.stat(self._path)) == _told(state):  # it did not change while it was read
            self.note(content, state)
        return found

    @contextmanager
    def _new_folder(self) -> Iterator[Path]:
        """A folder to fill, beside those that are whole; what is left of it is taken away in the end."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        folder = self._folder / f".{secrets.token_hex(6)}.part"
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _sweep(self) -> None:
        """Take away what processes left that were killed."""
        for folder in self._folder.glob(".*.part"):
            with suppress(OSError):
                if time.time() - folder.stat().st_mtime > ABANDONED:
                    shutil.rmtree(folder, ignore_errors=True)


def _read_note(path: Path) -> dict[str, Any] | None:
    try:
        note = json.loads(path.read_bytes())
        # It is the name of a folder, which may be removed.
        return note if "state" in note and re.fullmatch("[0-9a-f]{64}", note["sha256"]) else None
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return None


def _told(state: os.stat_result) -> list[int]:
    """What tells a file from any other, and from itself before and after a change."""
    return [state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns]


def _write(folder: Path, path: str | Path) -> str:
    """Write what a training-set file holds into a folder, in memory that does not grow with its numbers.

    Returns:
        The SHA-256 of the file.
    """
    digest = hashlib.sha256()

    def hashed() -> Iterator[bytes]:
        for block in json_file.blocks(path):
            digest.update(block)
            yield block

    columns: dict[str, list[Any]] = {name: [] for name in ("prompts", "seconds_start", "seconds_total")}
    seen: dict[str, None] = {}
    embedder: str | None = None
    dimension = 0
    with open(folder / UNIT, "wb") as unit, open(folder / EXACT, "wb") as exact:
        rows: list[np.ndarray] = []
        for identifier, entry in json_file.stream(hashed(), str(path)):
            if identifier in seen:
                raise json_file.twice(identifier, str(path))
            seen[identifier] = None
            conditioning = entry["conditioning"]
            columns["prompts"].append(whole_characters(conditioning["prompt"]))
            for name in ("seconds_start", "seconds_total"):
                columns[name].append(float(conditioning[name]))
            embedder = entry.get("embedder", embedder)
            rows.append(entry["embedding"])
            dimension = len(entry["embedding"])
            if len(rows) == AT_ONCE:
                _write_rows(rows, unit, exact)
                rows = []
        _write_rows(rows, unit, exact)
        _settle(unit, exact)
    items = {"ids": list(seen), **columns, "embedder": embedder, "dimension": dimension}
    with open(folder / ITEMS, "wb") as file:
        file.write(json.dumps(items).encode())  # ASCII, in which half a surrogate pair has a place too
        _settle(file)
    return digest.hexdigest()


def _write_rows(rows: list[np.ndarray], unit: BinaryIO, exact: BinaryIO) -> None:
    if rows:
        together = directions(rows)
        exact.write(together.numpy().data)
        unit.write(together.float().numpy().data)


def _settle(*files: BinaryIO) -> None:
    """Have the disk hold what was written, before a name says that it is whole."""
    for file in files:
        file.flush()
        os.fsync(file.fileno())


def _open(folder: Path, content: str) -> Snapshot:
    items = json.loads((folder / ITEMS).read_bytes())
    ids, dimension = items["ids"], int(items["dimension"])
    columns = [items[name] for name in ("prompts", "seconds_start", "seconds_total")]
    if any(len(column) != len(ids) for column in columns):
        raise ValueError(f"{ITEMS} does not fit together")
    exact = _mapped(folder / EXACT, np.float64, len(ids), dimension)
    unit = _mapped(folder / UNIT, np.float32, len(ids), dimension)
    prompts, starts, totals = columns
    return Snapshot(
        ids=ids,
        prompts=prompts,
        seconds_start=starts,
        seconds_total=totals,
        windows=None,
        sources=[None] * len(ids),
        vectors=ExactVectors(unit, exact.__getitem__),
        embedder=EmbedderRecord(items["embedder"], dimension),
        checksum=lambda: content,
    )


def _mapped(path: Path, dtype: Any, count: int, dimension: int) -> Tensor:
    """Numbers [count, dimension] that stay on disk until they are read; ValueError for another size."""
    size = count * dimension * np.dtype(dtype).itemsize
    if path.stat().st_size != size:
        raise ValueError(f"{path.name} has {path.stat().st_size} bytes, not {size}")
    # Copied where it were written to, which nothing does: torch warns of arrays that cannot be.
    return torch.from_numpy(np.memmap(path, dtype, mode="c", shape=(count, dimension)))
