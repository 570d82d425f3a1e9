"""Rows of tables that tell of recordings: CSV, JSON Lines, Parquet. A bad row is told of by its number."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from unheard.common.regular_files import open_regular, what_else
from unheard.common.sound_endings import ending_of
from unheard.common.texts import BYTE_ORDER_MARKS, decoded
from unheard.errors import InputError
from unheard.index.building.descriptions import json_object

TABLES = frozenset({"csv", "jsonl", "ndjson", "parquet"})
LARGEST_LINE = 1 << 24
"""Bytes that a line of JSON, or characters that a cell of a CSV may have."""
FEWEST_ROWS, MOST_ROWS = 8, 4096
BYTES_AT_ONCE = 1 << 28
"""Rows of a Parquet file that are held at a time: so many that their values hardly take more bytes."""


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        number: from 1, without the header; of JSON Lines, the line's.
        values: by column.
        wrong: sentences on what could not be read as it stands there; `values` lack it.
    """

    number: int
    values: Mapping[str, Any]
    wrong: tuple[str, ...] = ()


@dataclass(frozen=True)
class BadRow:
    """A row that is none, by its number, with the reason."""

    number: int
    reason: str


def table_rows(path: Path) -> Iterator[Row | BadRow]:
    """The rows of a CSV, JSON Lines or Parquet file.

    Raises:
        InputError: the file cannot be read any further; it names file and row.
    """
    if (refusal := what_else(path)) is not None:
        raise InputError(f"cannot read {path}: {refusal}")
    rows = {"parquet": _parquet, "csv": _csv}.get(ending_of(path.name), _json_lines)
    try:
        yield from rows(path)
    except (OSError, csv.Error) as error:
        raise InputError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


def count_rows(path: Path) -> int:
    """How many rows there are, good or bad; raises as `table_rows`."""
    if ending_of(path.name) == "parquet":
        with _opened_parquet(path) as file:
            return int(file.metadata.num_rows)
    return sum(1 for _ in table_rows(path))


def _json_lines(path: Path) -> Iterator[Row | BadRow]:
    with open_regular(path) as file:
        for number, line, wrong in _lines(file, path):
            if not line.strip():
                continue
            try:
                yield Row(number, json_object(line), wrong)
            except InputError as error:
                yield BadRow(number, str(error))


def _csv(path: Path) -> Iterator[Row | BadRow]:
    """Rows with their numbers; a cell may go over several lines, and any of those may be no UTF-8."""
    pending: list[str] = []

    def lines(file: BinaryIO) -> Iterator[str]:
        for _, line, wrong in _lines(file, path):
            pending.extend(wrong)
            yield line

    csv.field_size_limit(LARGEST_LINE)
    with open_regular(path) as file:
        reader = csv.DictReader(lines(file), strict=True)
        number = 0
        while True:
            number += 1
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise InputError(f"cannot read {path}, row {number}: {error}") from error
            values.pop(None, None)  # cells beyond the header
            yield Row(number, values, tuple(dict.fromkeys(pending)))
            pending.clear()


def _lines(file: BinaryIO, path: Path) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Lines of a text file: number, text with its end, and what is wrong with its encoding."""
    head = file.read(4)
    file.seek(0)
    mark = next((mark for mark in BYTE_ORDER_MARKS if head.startswith(mark)), b"")
    if BYTE_ORDER_MARKS.get(mark, "utf-8") != "utf-8":
        yield from _lines_by_mark(file, path, mark)
        return
    file.seek(len(mark))
    number = 0
    while line := file.readline(LARGEST_LINE + 1):
        number += 1
        if len(line) > LARGEST_LINE:
            raise InputError(f"cannot read {path}, row {number}: it has more than {LARGEST_LINE:,} bytes")
        text, wrong = decoded(line)
        said = (f"line {number} {wrong}; convert the file to UTF-8 (iconv -t UTF-8)",) if wrong else ()
        yield number, text, said


def _lines_by_mark(file: BinaryIO, path: Path, mark: bytes) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Of UTF-16 and UTF-32, as spreadsheets save "Unicode text"."""
    import io

    encoding = BYTE_ORDER_MARKS[mark]
    file.seek(len(mark))
    with io.TextIOWrapper(file, encoding=encoding, errors="replace", newline="") as text:
        number = 0
        while line := text.readline(LARGEST_LINE + 1):
            number += 1
            if len(line) > LARGEST_LINE:
                raise InputError(
                    f"cannot read {path}, row {number}: it has more than {LARGEST_LINE:,} characters"
                )
            wrong = (f"line {number} is not all {encoding.upper()}",) if "\ufffd" in line else ()
            yield number, line, wrong


def _opened_parquet(path: Path) -> Any:
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(path)
    except _PARQUET_ERRORS as error:
        raise InputError(f"cannot read {path}: {_first_line(error)}") from error


_PARQUET_ERRORS = (OSError, ValueError, TypeError, KeyError, NotImplementedError, MemoryError, OverflowError)
"""What pyarrow raises: its own errors derive from these."""


def _parquet(path: Path) -> Iterator[Row | BadRow]:
    with _opened_parquet(path) as file:
        number = 0
        names = file.schema_arrow.names
        batches = file.iter_batches(_rows_at_once(file.metadata))
        while True:
            try:
                batch = next(batches)
            except StopIteration:
                return
            except _PARQUET_ERRORS as error:
                column = _damaged_column(path, names)
                where = f"after row {number}" if column is None else f"after row {number}, column {column!r}"
                raise InputError(f"cannot read {path}, {where}: {_first_line(error)}") from error
            columns = [_column(name, batch.column(position)) for position, name in enumerate(names)]
            for values in zip(*columns, strict=True) if columns else ():
                number += 1
                wrong = tuple(said for _, said in values if said is not None)
                given = {name: value for name, (value, _) in zip(names, values, strict=True)}
                yield Row(number, given, wrong)


def _column(name: str, column: Any) -> list[tuple[Any, str | None]]:
    """The values of a column, each with what is wrong with it."""
    try:
        return [(value, None) for value in column.to_pylist()]
    except (ValueError, TypeError, OverflowError, NotImplementedError, ArithmeticError):
        return [_value(name, value) for value in column]


def _value(name: str, value: Any) -> tuple[Any, str | None]:
    try:
        return value.as_py(), None
    except UnicodeDecodeError:
        text, wrong = decoded(value.as_buffer().to_pybytes())
        return text, f"its column {name!r} {wrong or 'is no text'}"
    except (ValueError, TypeError, OverflowError, NotImplementedError, ArithmeticError) as error:
        return None, f"its column {name!r} cannot be read: {_first_line(error)}"


def _rows_at_once(metadata: Any) -> int:
    """How many rows are held at a time: no value of a column is longer than its part of a row group.

    A text that every row repeats is stored once, and so a small file can hold gigabytes.
    """
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    columns = [group.column(number) for group in groups for number in range(group.num_columns)]
    largest = max([1, *(int(column.total_uncompressed_size) for column in columns)])
    return max(FEWEST_ROWS, min(MOST_ROWS, BYTES_AT_ONCE // largest))


def _damaged_column(path: Path, names: list[str]) -> str | None:
    """The first column of a Parquet file that cannot be read alone."""
    import pyarrow.parquet

    for name in names:
        try:
            with pyarrow.parquet.ParquetFile(path) as file:
                for _ in file.iter_batches(_rows_at_once(file.metadata), columns=[name]):
                    pass
        except _PARQUET_ERRORS:
            return name
    return None


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__
