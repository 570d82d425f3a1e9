"""A JSON file that was read before is mapped from the cache: the same index, and never a stale one."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from unheard.errors import IndexFileError
from unheard.index import Index
from unheard.index.published import json_file
from unheard.index.searching import json_cache
from unheard.index.searching.entries import read_entries


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The cache's, for files of any size."""
    monkeypatch.setattr(json_cache, "SMALL", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield tmp_path / "cache" / "unheard" / "json-indexes"


def write(path: Path, items: int = 9, *, seed: int = 0, age: float = 60) -> Path:
    """A training-set file that was last changed `age` seconds ago."""
    generator = np.random.default_rng(seed)
    entries = {
        f"sound \ud83d {number}": {
            "embedding": (10.0 ** generator.integers(-150, 150) * generator.standard_normal(5)).tolist(),
            "conditioning": {
                "prompt": f"half \udc00 a bell {number}",
                "seconds_start": 1,
                "seconds_total": 2.5,
            },
            "embedder": "bands",
            "further": [number],
        }
        for number in range(items)
    }
    path.write_text(json.dumps(entries))
    then = time.time() - age
    os.utime(path, (then, then))
    return path


@pytest.fixture
def never_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise AssertionError("the JSON was read again")

    monkeypatch.setattr(json_file, "stream", refuse)


def settle(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every file had been changed long ago; `utime` leaves the time of the last change of its node."""
    monkeypatch.setattr(json_cache, "SETTLED", -(10**18))


def assert_same(one: Index, path: Path) -> None:
    """What the cache gives is what is made of the file, to the last bit."""
    other = Index(read_entries(path), path)
    names = ("ids", "prompts", "seconds_start", "seconds_total", "windows", "sources", "embedder", "sha256")
    for name in names:
        assert getattr(one, name) == getattr(other, name), name
    everything = torch.arange(len(one))
    assert torch.equal(one.vectors(everything), other.vectors(everything))
    queries = torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for ours, theirs in zip(one.search(queries, 9), other.search(queries, 9), strict=True):
        assert torch.equal(ours, theirs)


def test_an_index_from_the_cache_is_the_one_of_the_file(tmp_path: Path, folder: Path) -> None:
    path = write(tmp_path / "a.json")
    first, second = Index.open(path), Index.open(path)
    assert_same(first, path)
    assert_same(second, path)
    assert [entry.name for entry in folder.iterdir() if entry.is_dir()] == [first.sha256]
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json", "cache"]  # nothing beside it


def test_blocks_of_entries_come_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_cache, "AT_ONCE", 4)
    for items in (3, 4, 9):
        path = write(tmp_path / "a.json", items, seed=items)
        assert_same(Index.open(path), path)


def test_an_unchanged_file_is_not_even_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, never_parsed: None
) -> None:
    path = write(tmp_path / "a.json")
    settle(monkeypatch)
    with monkeypatch.context() as allowed:
        allowed.setattr(json_file, "stream", REAL_STREAM)
        expected = Index.open(path).ids
    monkeypatch.setattr(json_file, "blocks", json_file.stream)
    assert Index.open(path).ids == expected


def test_a_moved_and_a_touched_file_are_hashed_and_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, never_parsed: None
) -> None:
    path = write(tmp_path / "a.json")
    settle(monkeypatch)
    with monkeypatch.context() as allowed:
        allowed.setattr(json_file, "stream", REAL_STREAM)
        expected = Index.open(path).sha256
    os.utime(path)
    assert Index.open(path).sha256 == expected
    assert Index.open(shutil.copy(path, tmp_path / "copy.json")).sha256 == expected
    assert Index.open(path.rename(tmp_path / "b.json")).sha256 == expected


def test_a_changed_file_is_read_anew_and_what_it_was_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    settle(monkeypatch)
    path = write(tmp_path / "a.json")
    before = Index.open(path)
    state = path.stat()
    write(path, seed=1)  # as long as before, and with the same times
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    after = Index.open(path)
    assert after.sha256 != before.sha256
    assert_same(after, path)
    assert [entry.name for entry in folder.iterdir() if entry.is_dir()] == [after.sha256]
    assert before.search(torch.ones(1, 5))[0].isfinite().all()  # whoever has it open keeps it


def test_what_another_file_still_is_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    settle(monkeypatch)
    path, copy = write(tmp_path / "a.json"), tmp_path / "copy.json"
    shutil.copy(path, copy)
    both = {Index.open(path).sha256, Index.open(copy).sha256}
    both.add(Index.open(write(path, seed=1)).sha256)
    assert {entry.name for entry in folder.iterdir() if entry.is_dir()} == both


def test_a_file_that_was_changed_just_now_is_not_trusted_by_its_times(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", age=0)
    first = Index.open(path)
    state = path.stat()
    write(path, seed=1)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert Index.open(path).sha256 != first.sha256


@pytest.mark.parametrize("name", ["unit.f32", "exact.f64", "items.json"])
@pytest.mark.parametrize("damage", ["gone", "cut", "other"])
def test_what_is_damaged_is_made_again(tmp_path: Path, folder: Path, name: str, damage: str) -> None:
    path = write(tmp_path / "a.json")
    damaged = folder / Index.open(path).sha256 / name
    content = damaged.read_bytes()
    if damage == "gone":
        damaged.unlink()
    else:
        damaged.write_bytes(content[:-3] if damage == "cut" else b'{"ids": 3}')
    with pytest.warns(UserWarning, match="it is made again"):
        assert_same(Index.open(path), path)
    assert damaged.read_bytes() == content
    assert_same(Index.open(path), path)


def test_a_damaged_note_is_as_good_as_none(tmp_path: Path, folder: Path) -> None:
    path = write(tmp_path / "a.json")
    Index.open(path)
    (note,) = folder.glob("*.json")
    for content in ("", "[]", '{"sha256": 3, "state": 0}'):
        note.write_text(content)
        assert_same(Index.open(path), path)


def test_where_nothing_can_be_written_the_file_is_read_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.json")
    monkeypatch.setenv("XDG_CACHE_HOME", str(path))  # no folder, for the superuser too
    for _ in range(2):
        with pytest.warns(
            UserWarning, match="read anew each time: cannot write to the cache .*XDG_CACHE_HOME"
        ):
            assert_same(Index.open(path), path)


def test_a_cache_that_can_only_be_read_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, never_parsed: None
) -> None:
    path = write(tmp_path / "a.json")
    with monkeypatch.context() as allowed:
        allowed.setattr(json_file, "stream", REAL_STREAM)
        Index.open(path)

    def refuse(*_: Any) -> None:
        raise json_cache.InputError("read-only")

    monkeypatch.setattr(json_cache, "write_whole", refuse)
    assert len(Index.open(path)) == 9


def test_a_malformed_file_says_what_is_wrong_and_leaves_nothing(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"bell": {"embedding": [0.0], "conditioning": {}}}')
    with pytest.raises(IndexFileError, match='id "bell": embedding is all zeros'):
        Index.open(path)
    write(path)
    path.write_text(path.read_text().replace('0"', '1"', 1))
    with pytest.raises(IndexFileError, match="occurs twice"):
        Index.open(path)
    with pytest.raises(IndexFileError, match="cannot read the index"):
        Index.open(tmp_path / "none.json")
    assert [*folder.iterdir()] == []


def _open(path: Path, barrier: Any, found: Any) -> None:
    json_cache.SMALL = 0
    barrier.wait()
    found.put(Index.open(path).search(torch.ones(1, 5))[1].item())


def test_processes_that_open_a_file_at_once_all_get_it(tmp_path: Path, folder: Path) -> None:
    path = write(tmp_path / "a.json", 400)
    processes = multiprocessing.get_context("fork")
    barrier, found = processes.Barrier(3), processes.Queue()
    started = [processes.Process(target=_open, args=(path, barrier, found)) for _ in range(3)]
    for process in started:
        process.start()
    answers = {found.get(timeout=60) for _ in started}
    for process in started:
        process.join()
    assert answers == {Index.open(path).search(torch.ones(1, 5))[1].item()}
    assert [entry for entry in folder.iterdir() if entry.name.endswith(".part")] == []


def test_a_process_killed_in_the_middle_leaves_a_cache_that_works(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.json")
    child = os.fork()
    if not child:
        json_cache._settle = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # numbers written, no name yet
        Index.open(path)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    (left,) = folder.iterdir()
    assert left.name.endswith(".part")
    assert_same(Index.open(path), path)
    assert left.exists()  # someone may still be at work on it
    monkeypatch.setattr(json_cache, "ABANDONED", -1)
    Index.open(write(path, seed=1))
    assert not left.exists()


def test_a_small_file_is_read_as_it_is(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder.parents[1]))
    path = write(tmp_path / "a.json")
    assert_same(Index.open(path), path)
    assert not folder.exists()


REAL_STREAM = json_file.stream


def test_a_note_that_is_damaged_removes_nothing(tmp_path: Path, folder: Path) -> None:
    path = write(tmp_path / "a.json")
    Index.open(path)
    (note,) = folder.glob("*.json")
    (tmp_path / "mine").mkdir()
    for content in ("[" * 100_000, json.dumps({"sha256": str(tmp_path / "mine"), "state": None})):
        note.write_text(content)
        write(path, seed=1)
        assert len(Index.open(path)) == 9
    assert (tmp_path / "mine").is_dir()


def test_half_a_surrogate_pair_in_a_caption_is_no_character(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json")
    entries = json.loads(path.read_text())
    next(iter(entries.values()))["conditioning"]["prompt"] = "caf\ud83d"
    path.write_text(json.dumps(entries))
    assert [read.prompts[0] for read in (Index.open(path), Index.open(path))] == ["caf\ufffd"] * 2
    assert read_entries(path).prompts[0] == "caf\ufffd"
