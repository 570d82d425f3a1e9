"""Manifests: tables whose rows are recordings, and tables of captions for recordings from elsewhere."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from unheard.common.shards import SEPARATOR
from unheard.common.sound_endings import ending_of
from unheard.errors import InputError
from unheard.index.building.descriptions import PATH_COLUMNS, describe
from unheard.index.building.notes import Notes
from unheard.index.building.recording import Recording, Reject, Remark
from unheard.index.building.tables import TABLES, BadRow, Row, count_rows, table_rows

SOUND_COLUMNS = ("audio", "file", "sound")
"""Columns that may hold the sound itself, as Hugging Face's data sets do: an object of `bytes` and `path`."""


class Manifest:
    """A table whose rows are recordings, each with a path relative to the table, or with the sound itself."""

    def __init__(self, path: str) -> None:
        self._path, self.root = path, str(Path(path).parent)

    def recordings(self) -> Iterator[Recording | Reject]:
        for row in table_rows(Path(self._path)):
            try:
                yield self._recording(_good(row))
            except InputError as error:
                yield Reject(f"{self._path}, row {row.number}", str(error))

    def count(self) -> int:
        return count_rows(Path(self._path))

    def _recording(self, row: Row) -> Recording:
        values, content = _with_sound(row.values)
        described = describe(values, *row.wrong)
        if content is not None:
            name = described.source or f"{row.number}"
            return replace(
                described,
                id=described.id or f"{Path(self._path).stem}/{PurePosixPath(name).as_posix()}",
                source=f"{self._path}{SEPARATOR}{row.number}.{ending_of(name) or 'wav'}",
                content=content,
            )
        if not described.source:
            raise InputError(f"it has no path; name the column one of {', '.join(PATH_COLUMNS)}")
        path = os.path.join(self.root, described.source)
        return replace(described, id=described.id or PurePosixPath(described.source).as_posix(), source=path)


def _good(row: Row | BadRow) -> Row:
    """A row that is one; InputError with the reason otherwise."""
    if isinstance(row, BadRow):
        raise InputError(row.reason)
    return row


def _with_sound(values: Mapping[str, Any]) -> tuple[Mapping[str, Any], bytes | None]:
    """A row with the path of a sound that stands in it as an object, and the sound's bytes if they do."""
    for column in SOUND_COLUMNS:
        sound = values.get(column)
        if isinstance(sound, dict) and sound.keys() & {"bytes", "path"}:
            content, path = sound.get("bytes"), sound.get("path")
            rest = {name: value for name, value in values.items() if name != column}
            named = {"path": path} if path and not rest.get("path") else {}
            return {**rest, **named}, content if isinstance(content, bytes) else None
    return values, None


def _one_name(path: str) -> str:
    """A path as it is compared: without detours, and with each letter in one form of Unicode's.

    A table from another system may have letters and their accents apart where the files' names have them in
    one, or the other way round.
    """
    return unicodedata.normalize("NFC", os.path.normpath(path))


class CaptionTable:
    """A manifest that tells more of recordings from elsewhere; it may be larger than memory.

    Args:
        path: of the manifest.

    Attributes:
        rejects: rows that cannot be read or that name no sound, with the reason.

    Raises:
        InputError: it is none, cannot be read, or no row names a sound.
    """

    def __init__(self, path: Path) -> None:
        if ending_of(path.name) not in TABLES:
            raise InputError(f"captions come from CSV, JSON Lines or Parquet, not {path}")
        self._path, self._folder, self._notes = path, str(path.parent), Notes()
        self.rejects: list[Reject] = []
        for row in table_rows(path):
            try:
                self._note(_good(row))
            except InputError as error:
                self.rejects.append(Reject(f"{path}, row {row.number}", str(error)))
        if self.rejects and not self._notes.count:
            raise InputError(f"{self.rejects[0].source}: {self.rejects[0].reason}")
        if not self._notes.count:
            raise InputError(
                f"there is no caption in {path}: give a row a sound, in CSV below the columns' names"
            )

    def _note(self, row: Row) -> None:
        values, _ = _with_sound(row.values)
        described = describe(values, *row.wrong)
        if not (named := described.source or described.id):
            found = ", ".join(map(repr, values)) or "none"
            raise InputError(
                f"it names no sound; name the column one of {', '.join(PATH_COLUMNS)} (it has {found})"
            )
        said = {name: value for name, value in values.items() if not isinstance(value, bytes)}
        self._notes.write(_one_name(named), json.dumps([said, row.wrong], default=str))

    def __reduce__(self) -> tuple[type[CaptionTable], tuple[Path]]:
        return CaptionTable, (self._path,)  # another process reads them anew

    def describe(self, recording: Recording, root: str) -> Recording:
        """The recording with what the captions say of it, under its path in the source or in the manifest."""
        names = [recording.id, recording.source]
        if recording.content is None:
            names[1:1] = [os.path.relpath(recording.source, self._folder)]
            names.append(os.path.abspath(recording.source))
        for name in names:
            if (noted := self._notes.take(_one_name(name))) is not None:
                values, wrong = json.loads(noted)
                said = describe(values, *wrong)
                start, total = said.seconds_start, said.seconds_total
                return replace(
                    recording,
                    id=said.id or recording.id,
                    prompt=recording.prompt if said.prompt is None else said.prompt,
                    seconds_start=recording.seconds_start if start is None else start,
                    seconds_total=recording.seconds_total if total is None else total,
                    further={**recording.further, **said.further},
                    remarks=recording.remarks + said.remarks,
                )
        return recording

    @property
    def unused(self) -> int:
        """Rows that were of no recording so far."""
        return self._notes.untaken

    def told(self) -> Iterator[Reject]:
        """Rows that say nothing of any recording that has come by: those that are none, and those unused."""
        yield from self.rejects
        for name in self._notes.untaken_names():
            yield Remark(f"{self._path}: {name}", "this row of the captions names no sound of the sources")
