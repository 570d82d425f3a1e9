"""The store on disk: commits of whole items, several processes at once."""

from __future__ import annotations

import multiprocessing
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from appending import append_many, appended
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_rows import GUIDE, content, rows

from unheard.errors import IndexFileError, InputError
from unheard.index import Index
from unheard.index.store.table import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "index", GUIDE)


def test_what_is_written_is_read_by_all(store: Store) -> None:
    given = rows({"drums/kick.wav": 1, "it's ü": 3, "": 1})
    assert store.append(given) == 5
    opened = Store.open(store.uri)
    assert opened.embedder == GUIDE
    assert len(opened) == 5
    written = content(opened)
    for row in written:
        del row["digest"]
    assert written == sorted(given.to_pylist(), key=lambda row: (row["id"], row["window"]))
    positions = [4, 0, 4, 2]
    columns = ["id", "window", "embedding"]
    everything = pa.Table.from_batches(list(opened.batches(columns, 2)))
    assert opened.take(positions, columns).to_pylist() == everything.take(positions).to_pylist()
    assert {row["id"] for row in opened.where(["it's ü", "gone"], ["id"]).to_pylist()} == {"it's ü"}


def test_an_id_that_is_there_is_left_as_it_is_with_all_its_windows(store: Store) -> None:
    store.append(rows({"a": 2, "b": 1}))
    before = content(store)
    assert store.append(rows({"a": 4, "b": 1, "c": 2}, seed=1)) == 2
    assert [row for row in content(store) if row["id"] != "c"] == before
    assert store.verify() == []


def test_replacing_leaves_no_window_of_the_old(store: Store) -> None:
    store.append(rows({"a": 4, "b": 1}))
    store.replace(rows({"a": 2, "new": 1}, seed=1))
    expected = [*content_of(rows({"a": 2, "new": 1}, seed=1)), ("b", 0)]
    assert [(row["id"], row["window"]) for row in content(store)] == sorted(
        (identifier, window) for identifier, window in expected
    )
    assert store.verify() == []
    assert store.remove(["a", "gone"]) == 1
    assert store.remove([]) == 0
    assert [row["id"] for row in content(Store.open(store.uri))] == ["b", "new"]


def content_of(table: pa.Table) -> list[tuple[str, int]]:
    return list(zip(table["id"].to_pylist(), table["window"].to_pylist(), strict=True))


@settings(max_examples=8, deadline=None)
@given(
    order=st.permutations(["a", "b", "c", "d"]),
    cuts=st.lists(st.integers(1, 3), max_size=2, unique=True),
    seed=st.integers(0, 100),
)
def test_the_checksum_is_of_the_content_alone(
    tmp_path_factory: pytest.TempPathFactory, order: list[str], cuts: list[int], seed: int
) -> None:
    everything = {identifier: rows({identifier: 2}, seed=number) for number, identifier in enumerate("abcd")}
    straight = Store.create(tmp_path_factory.mktemp("a") / "index", GUIDE)
    straight.append(pa.concat_tables(everything.values()))
    crooked = Store.create(tmp_path_factory.mktemp("b") / "index", GUIDE)
    crooked.append(rows({"a": 3, "e": 1}, seed=seed + 10))
    bounds = [0, *sorted(cuts), 4]
    for first, last in pairwise(bounds):
        crooked.replace(pa.concat_tables([everything[name] for name in order[first:last]]))
    assert crooked.checksum != straight.checksum
    crooked.remove(["e"])
    crooked.optimize()
    assert crooked.checksum == straight.checksum
    assert Index.open(crooked.uri).ids == Index.open(straight.uri).ids == [i for i in "abcd" for _ in "12"]
    crooked.replace(everything["a"].set_column(5, "prompt", pa.array(["other"] * 2)))
    assert crooked.checksum != straight.checksum


def test_processes_that_add_at_once_lose_nothing_and_double_nothing(store: Store) -> None:
    processes, rounds = 3, 4
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes)
    started = [
        context.Process(target=append_many, args=(store.uri, who, barrier, rounds))
        for who in range(processes)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join()
        assert process.exitcode == 0
    store.refresh()
    assert store.verify() == []  # no id twice, no window missing or double
    found = {row["id"] for row in content(store)}
    shared = {f"shared {turn}-{n}" for turn in range(rounds) for n in range(4)}
    own = {f"{who} {turn}-{n}" for who in range(processes) for turn in range(rounds) for n in range(4)}
    assert found == shared | own
    # Of two that bring the same id one wins, with all of its windows and none of the other's.
    for identifier in shared:
        mine = [row for row in content(store) if row["id"] == identifier]
        assert any(
            [row["embedding"] for row in mine]
            == [row["embedding"] for row in rows_of(identifier, who).to_pylist()]
            for who in range(processes)
        )


def rows_of(identifier: str, who: int) -> pa.Table:
    """One item of what `append_many` gave."""
    table = appended(who, int(identifier.removeprefix("shared ").partition("-")[0]))
    return table.filter(pa.array([name == identifier for name in table["id"].to_pylist()]))


def test_paths_that_cannot_be_are_refused_in_a_line(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "song.wav").write_text("x")
    for action, error, message in [
        (lambda: Store.open(tmp_path / "gone"), IndexFileError, "gone is no index"),
        (lambda: Store.open(tmp_path / "full"), IndexFileError, "full is no index"),
        (lambda: Store.open(file), InputError, "file is a file"),
        (lambda: Store.open(" "), InputError, "needs a path"),
        (lambda: Store.create(store.uri, GUIDE), InputError, "an index at .* already"),
        (lambda: Store.create(tmp_path / "full", GUIDE), InputError, "other things in it"),
        (lambda: Store.create("/proc/nothing/here", GUIDE), InputError, "cannot make an index"),
        (lambda: store.append(pa.table({"id": ["a"]})), InputError, "columns of its schema"),
    ]:
        with pytest.raises(error, match=message) as raised:
            action()
        assert "\n" not in str(raised.value)
    assert not (tmp_path / "gone").exists()


def test_a_table_of_something_else_is_refused(tmp_path: Path) -> None:
    import lancedb

    lancedb.connect(tmp_path / "other").create_table("windows", pa.table({"x": [1]}))
    with pytest.raises(IndexFileError, match="was not made by this version"):
        Store.open(tmp_path / "other")
