"""Rows of tables: a bad one is told of by file and row, and the others go on; encodings; the hub's layout."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from unheard.errors import InputError
from unheard.index.building import tables
from unheard.index.building.recording import Recording, Reject, Remark
from unheard.index.building.sources import Sources
from unheard.index.building.tables import BadRow, Row, count_rows, table_rows


def of_kind(path: Path) -> tuple[list[Recording], list[Reject]]:
    everything = list(Sources(path))
    return (
        [one for one in everything if isinstance(one, Recording)],
        [one for one in everything if isinstance(one, Reject)],
    )


def test_a_bad_line_costs_itself_alone(tmp_path: Path) -> None:
    path = tmp_path / "list.jsonl"
    path.write_bytes(
        b'{"path": "a.wav"}\n{oops\n[1]\n{"path": "b\\u0000.wav"}\n{"path": 3}\n{"path": "c.wav"}\n'
    )
    taken, left_out = of_kind(path)
    assert [one.id for one in taken] == ["a.wav", "c.wav"]
    assert [(one.source, one.reason.partition(":")[0]) for one in left_out] == [
        (f"{path}, row 2", "it is not JSON"),
        (f"{path}, row 3", "it is not a JSON object"),
        (f"{path}, row 4", "its path holds a NUL character"),
        (f"{path}, row 5", "path must be a text, not 3"),
    ]
    assert count_rows(path) == 6


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_encodings_are_told_with_their_line(tmp_path: Path, ending: str) -> None:
    text = "path,caption\na.wav,Flügel\nb.wav,a bell\n"
    if ending == "jsonl":
        text = '{"path": "a.wav", "caption": "Flügel"}\n{"path": "b.wav", "caption": "a bell"}\n'
    line = 2 if ending == "csv" else 1
    path = tmp_path / f"list.{ending}"
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "cp1252"):
        path.write_bytes(text.encode(encoding))
        taken, remarks = of_kind(path)
        assert [one.prompt for one in taken] == ["Flügel", "a bell"]
        if encoding != "cp1252":
            assert not remarks
        else:
            (remark,) = remarks
            assert isinstance(remark, Remark)
            assert f"line {line} is not UTF-8: read as Windows-1252; convert" in remark.reason


def test_an_error_of_the_file_names_file_and_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "list.csv"
    path.write_text('path,caption\na.wav,one\nb.wav,"never closed\n')
    rows = table_rows(path)
    assert next(rows) == Row(1, {"path": "a.wav", "caption": "one"})
    with pytest.raises(InputError, match=r"list\.csv, row 2: "):
        next(rows)
    monkeypatch.setattr(tables, "LARGEST_LINE", 20)
    lines = tmp_path / "list.jsonl"
    lines.write_text('{"path": "a.wav"}\n{"path": "' + "x" * 30 + '"}\n')
    with pytest.raises(InputError, match=r"list\.jsonl, row 2: it has more than 20 bytes"):
        list(table_rows(lines))


def test_the_hubs_layout_is_read(tmp_path: Path) -> None:
    path = tmp_path / "train-00000.parquet"
    audio = [
        {"bytes": b"one", "path": "a.flac"},
        {"bytes": b"two", "path": None},
        {"bytes": None, "path": "c.wav"},
    ]
    pyarrow.parquet.write_table(pa.table({"audio": audio, "text": ["A", "B", "C"]}), path)
    taken, left_out = of_kind(path)
    assert not left_out
    assert [(one.id, one.source, one.content, one.prompt) for one in taken] == [
        ("train-00000/a.flac", f"{path}::1.flac", b"one", "A"),
        ("train-00000/2", f"{path}::2.wav", b"two", "B"),
        ("c.wav", str(tmp_path / "c.wav"), None, "C"),
    ]
    assert Sources(path).count() == 3


def test_a_text_that_a_small_file_repeats_is_held_a_few_times_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "list.parquet"
    pyarrow.parquet.write_table(pa.table({"path": ["a.wav"] * 500, "caption": ["bell " * 2_000] * 500}), path)
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(tables, "BYTES_AT_ONCE", 1 << 18)
    with pyarrow.parquet.ParquetFile(path) as file:
        assert 8 <= tables._rows_at_once(file.metadata) <= 26
    rows = list(table_rows(path))
    assert [row.number for row in rows] == list(range(1, 501))
    assert {row.values["caption"] for row in rows} == {"bell " * 2_000}


def test_a_parquet_column_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "list.parquet"
    spoilt = pa.array([b"a bell", b"Fl\xfcgel"]).view(pa.string())
    pyarrow.parquet.write_table(pa.table({"path": ["a.wav", "b.wav"], "caption": spoilt}), path)
    taken, (remark,) = of_kind(path)
    assert [one.prompt for one in taken] == ["a bell", "Flügel"]
    assert "column 'caption' is not UTF-8" in remark.reason

    pyarrow.parquet.write_table(
        pa.table({"path": ["a.wav"] * 9_000, "caption": [f"{n} bells" for n in range(9_000)]}), path,
        compression="zstd",
    )  # fmt: skip
    content = bytearray(path.read_bytes())
    with pyarrow.parquet.ParquetFile(path) as file:
        column = file.metadata.row_group(0).column(1)
        place = column.dictionary_page_offset or column.data_page_offset
    content[place + 40 : place + 4_000] = b"\xff" * 3_960
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"list\.parquet, after row 0, column 'caption': "):
        list(table_rows(path))


def test_bad_rows_are_counted_like_the_others(tmp_path: Path) -> None:
    path = tmp_path / "list.jsonl"
    path.write_text("{}\n\n{oops\n")
    assert list(table_rows(path)) == [Row(1, {}), BadRow(3, next(iter(of_kind(path)[1][1:])).reason)]
