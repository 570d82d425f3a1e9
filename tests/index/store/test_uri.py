"""What is there, or else the name, tells whether an index is a store or a JSON file."""

from __future__ import annotations

from pathlib import Path

import pytest
from published_files import entry, write
from stored_rows import GUIDE, rows

from unheard import index
from unheard.index import Index
from unheard.index.store.table import Store
from unheard.index.store.uri import is_store


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("folder", True),
        ("folder.json", True),
        ("file", False),
        ("file.json", False),
        ("gone", True),
        ("gone.json", False),
        ("s3://bucket/index", True),
        ("s3://bucket/index.json", True),
        ("file:///folder", True),
    ],
)
def test_a_folder_is_a_store_and_a_file_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str, expected: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("folder", "folder.json"):
        Path(name).mkdir()
    for name in ("file", "file.json"):
        Path(name).touch()
    assert is_store(uri) is expected
    assert is_store(Path(uri)) is expected or "://" in uri


def test_every_command_takes_what_is_there_for_what_it_is(tmp_path: Path) -> None:
    file, folder = write(tmp_path / "named", {"a": entry([1.0, 0.0])}), tmp_path / "named.json"
    Store.create(folder, GUIDE).append(rows({"b": 1, "c": 2}))
    assert [Index.open(path).ids for path in (file, folder)] == [["a"], ["b", "c", "c"]]
    assert [index.info(path).items for path in (file, folder)] == [1, 2]
    assert [index.verify(path) for path in (file, folder)] == [[], []]
    assert [index.duplicates(path).items for path in (file, folder)] == [1, 2]
    assert index.remove(folder, ["b", "gone"]) == 1
    assert index.remove(file, ["gone"]) == 0
