"""What a power cut leaves is taken back, and what is damaged is named."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest
from stored_rows import DIMENSION, GUIDE, content, rows

from unheard.errors import IndexFileError
from unheard.index import Index
from unheard.index.store.repair import step_back
from unheard.index.store.rows import schema, with_digests
from unheard.index.store.table import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "index", GUIDE)


def newest(store: Store, folder: str, pattern: str) -> Path:
    return max(
        (Path(store.uri) / "windows.lance" / folder).glob(pattern), key=lambda path: path.stat().st_mtime_ns
    )


@pytest.mark.parametrize(
    ("folder", "pattern", "keep"),
    [("data", "*.lance", 0), ("data", "*.lance", 0.7), ("_versions", "*.manifest", 0.5)],
)
def test_a_torn_commit_is_told_and_taken_back(store: Store, folder: str, pattern: str, keep: float) -> None:
    store.append(rows({"a": 2, "b": 1}))
    before = content(store)
    store.append(rows({"c": 50}))
    torn = newest(store, folder, pattern)
    torn.write_bytes(torn.read_bytes()[: int(torn.stat().st_size * keep)])
    with pytest.raises(IndexFileError, match=r"damaged"):
        content(Store.open(store.uri))
    assert step_back(store.uri)
    assert content(Store.open(store.uri)) == before
    assert not step_back(store.uri)


def test_a_sound_store_is_not_stepped_back(store: Store) -> None:
    store.append(rows({"a": 2}))
    assert not step_back(store.uri)
    assert len(Store.open(store.uri)) == 2


def test_verify_names_what_is_wrong(store: Store) -> None:
    assert store.verify() == []
    zero = [[0.0] * DIMENSION] * 2
    table = rows({"good": 3, "zero": 2})
    bad = table.filter(pa.array([name == "zero" for name in table["id"].to_pylist()]))
    bad = bad.set_column(4, schema(DIMENSION).field("embedding"), pa.array(zero, bad["embedding"].type))
    store.append(bad)
    store.append(rows({"good": 3}))
    store.table.update(where="id = 'good' AND window = 1", values={"prompt": "forged"})
    store.table.delete("id = 'good' AND window = 2")
    store.table.add(with_digests(rows({"double": 1}), DIMENSION, store.uri))
    store.table.add(with_digests(rows({"double": 1}), DIMENSION, store.uri))
    said = "\n".join(store.verify())
    assert "id 'zero' has an embedding without a direction" in said
    assert "(id 'good') is not what was written" in said
    assert "id 'double' has 2 windows" in said
    with pytest.raises(IndexFileError, match="id 'zero' has an embedding without a direction"):
        Index.open(store.uri)
    newest(store, "data", "*.lance").write_bytes(b"")
    assert len(Store.open(store.uri).verify()) >= 1


def test_what_killed_writers_left_half_written_goes_a_day_later(store: Store) -> None:
    store.append(rows({"a": 2}))
    before = content(store)
    table = Path(store.uri) / "windows.lance"
    staged = [table / "data" / ".tmpTb1FDx", table / "_versions" / "18446744073709550540.manifest#1"]
    for path in staged:
        path.write_bytes(b"half")
    store.optimize()
    assert all(path.exists() for path in staged)  # somebody may be writing them
    for path in staged:
        os.utime(path, (0, 0))
    store.optimize()
    assert not any(path.exists() for path in staged)
    assert content(Store.open(store.uri)) == before


@pytest.mark.parametrize("length", [2_000, 0xFFFF_FFFF])
def test_a_manifest_that_claims_to_be_longer_than_its_file_is_damaged_and_lance_does_not_panic(
    store: Store, capfd: pytest.CaptureFixture[str], length: int
) -> None:
    store.append(rows({"a": 2, "b": 1}))
    path = min((Path(store.uri) / "windows.lance" / "_versions").glob("*.manifest"))
    content = bytearray(path.read_bytes())
    begins = int.from_bytes(content[-16:-8], "little")
    content[begins : begins + 4] = length.to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(IndexFileError, match=r"seems damaged: its newest manifest, .*, is cut short"):
        Store.open(store.uri)
    assert capfd.readouterr().err == ""
