"""Tables that tell of recordings, a row each: CSV, JSON Lines, Parquet."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from unheard.errors import InputError
from unheard.index.building.notes import Notes
from unheard.index.building.recording import Recording, Reject, ending_of

MANIFESTS = frozenset({"csv", "jsonl", "ndjson", "parquet"})
PATH_COLUMNS = ("path", "file", "file_name", "filename")
PROMPT_COLUMNS = ("prompt", "caption", "text")
LARGEST_CELL = 1 << 20
"""Characters that one cell of a CSV may have."""


class Manifest:
    """A table whose rows are recordings, each with a path relative to the table."""

    def __init__(self, path: str) -> None:
        self._path, self.root = path, str(Path(path).parent)

    def recordings(self) -> Iterator[Recording | Reject]:
        for number, row in manifest_rows(Path(self._path)):
            named = f"{self._path}, row {number}"
            try:
                described = describe(row)
            except InputError as error:
                yield Reject(named, str(error))
                continue
            if not described.source:
                yield Reject(named, f"it has no path; name the column one of {', '.join(PATH_COLUMNS)}")
                continue
            path = os.path.join(self.root, described.source)
            yield replace(
                described, id=described.id or PurePosixPath(described.source).as_posix(), source=path
            )

    def count(self) -> int:
        return sum(1 for _ in manifest_rows(Path(self._path)))


class CaptionTable:
    """A manifest that tells more of recordings from elsewhere; it may be larger than memory.

    Args:
        path: of the manifest.

    Raises:
        InputError: it is none, cannot be read, or a row names no sound.
    """

    def __init__(self, path: Path) -> None:
        if ending_of(path.name) not in MANIFESTS:
            raise InputError(f"captions come from CSV, JSON Lines or Parquet, not {path}")
        self._path, self._folder, self._notes = path, str(path.parent), Notes()
        for number, row in manifest_rows(path):
            try:
                described = describe(row)
            except InputError as error:
                raise InputError(f"{path}, row {number}: {error}") from error
            if not (named := described.source or described.id):
                raise InputError(
                    f"{path}, row {number} names no sound; name the column one of {', '.join(PATH_COLUMNS)}"
                )
            self._notes.write(named.removeprefix("./"), json.dumps(dict(row), default=str))

    def __reduce__(self) -> tuple[type[CaptionTable], tuple[Path]]:
        return CaptionTable, (self._path,)  # another process reads them anew

    def describe(self, recording: Recording, root: str) -> Recording:
        """The recording with what the captions say of it, under its path in the source or in the manifest."""
        beside = os.path.relpath(recording.source, self._folder) if recording.content is None else ""
        for name in (recording.id, PurePosixPath(Path(beside)).as_posix(), recording.source):
            if (row := self._notes.take(name)) is not None:
                said = describe(json.loads(row))
                return replace(
                    recording,
                    id=said.id or recording.id,
                    prompt=recording.prompt if said.prompt is None else said.prompt,
                    seconds_start=recording.seconds_start
                    if said.seconds_start is None
                    else said.seconds_start,
                    seconds_total=recording.seconds_total
                    if said.seconds_total is None
                    else said.seconds_total,
                    further={**recording.further, **said.further},
                )
        return recording

    @property
    def unused(self) -> int:
        """Rows that were of no recording so far."""
        return self._notes.untaken


def manifest_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The rows of a CSV, JSON Lines or Parquet file, numbered from 1.

    Raises:
        InputError: it cannot be read, or a line is malformed.
    """
    ending = ending_of(path.name)
    try:
        if ending == "parquet":
            yield from _parquet_rows(path)
            return
        with open(path, encoding="utf-8-sig", newline="") as file:
            if ending == "csv":
                csv.field_size_limit(LARGEST_CELL)
                for number, row in enumerate(csv.DictReader(file, strict=True), 1):
                    row.pop(None, None)  # cells beyond the header
                    yield number, row
            else:
                for number, line in enumerate(file, 1):
                    if line.strip():
                        yield number, json_object(line)
    except UnicodeDecodeError as error:
        raise InputError(f"cannot read {path}: it is not UTF-8") from error
    except (OSError, csv.Error) as error:
        raise InputError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


def _parquet_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(4096):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except pyarrow.ArrowException as error:
        raise InputError(f"cannot read {path}: {error}") from error


def describe(row: Mapping[str, Any]) -> Recording:
    """What a manifest's row or a sidecar says, by the usual names of the columns.

    Returns:
        A recording whose `source` is the path as it stands there, or "", as `id` is.

    Raises:
        InputError: a value that its column cannot hold.
    """
    left = {name.strip(): value for name, value in row.items() if name and value not in (None, "")}
    path = next((left.pop(name) for name in PATH_COLUMNS if name in left), "")
    prompt = next((left.pop(name) for name in PROMPT_COLUMNS if name in left), None)
    for name, text in (("path", path), ("prompt", prompt)):
        if not isinstance(text, str | None):
            raise InputError(f"{name} must be a text, not {text!r}")
    identifier = str(left.pop("id", ""))
    start, total = (_seconds(name, left.pop(name, None)) for name in ("seconds_start", "seconds_total"))
    return Recording(identifier, path, None, prompt, start, total, left)


def _seconds(name: str, value: Any) -> float | None:
    if value is None:
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be a number of seconds, not {value!r}") from error
    if not math.isfinite(seconds) or seconds < 0:
        raise InputError(f"{name} must be a finite number of seconds, 0 or more, not {value!r}")
    return seconds


def json_object(text: str) -> dict[str, Any]:
    """A JSON object; InputError if the text is none."""
    try:
        made = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"it is not JSON: {error}") from error
    if not isinstance(made, dict):
        raise InputError("it is not a JSON object")
    return made
