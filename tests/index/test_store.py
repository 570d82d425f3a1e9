"""The store on disk: commits of whole items, several processes at once, what a power cut leaves."""

from __future__ import annotations

import json
import multiprocessing
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_rows import content

from unheard.errors import IndexFileError, InputError
from unheard.index import Index, Item
from unheard.index.building.ledger import Ledger, described
from unheard.index.store.embedder_record import EmbedderRecord
from unheard.index.store.repair import step_back
from unheard.index.store.rows import embeddings, schema, with_digests
from unheard.index.store.table import Store

DIMENSION = 6
GUIDE = EmbedderRecord("guide", DIMENSION, sha256="a" * 64, sample_rate=16_000, window=1.0)


def rows(windows: dict[str, int], seed: int = 0, **changes: Any) -> pa.Table:
    """Items by id with their number of windows, of random unit embeddings."""
    generator = np.random.default_rng(seed)
    made = []
    for identifier, count in windows.items():
        for window in range(count):
            vector = generator.standard_normal(DIMENSION)
            row = {
                "id": identifier,
                "window": window,
                "window_start": window / 2,
                "window_end": window / 2 + 1,
                "embedding": vector / np.linalg.norm(vector),
                "prompt": f"caption of {identifier}",
                "seconds_start": 0.0,
                "seconds_total": count / 2 + 0.5,
                "content_sha256": "0" * 64,
                "source": f"/sounds/{identifier}",
                "silent": False,
                "further": None,
            }
            made.append({**row, **changes})
    return pa.Table.from_pylist(made, schema=schema(DIMENSION))


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


def append_many(uri: str, who: int, barrier: Any, rounds: int) -> None:
    store = Store.open(uri)
    for turn in range(rounds):
        windows = {f"shared {turn}-{n}": 2 + who for n in range(4)} | {
            f"{who} {turn}-{n}": 2 for n in range(4)
        }
        table = rows(windows, seed=who)
        barrier.wait()
        store.append(table)


def test_processes_that_add_at_once_lose_nothing_and_double_nothing(store: Store) -> None:
    processes, rounds = 3, 6
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
            == [row["embedding"] for row in rows_of(identifier, 2 + who, who).to_pylist()]
            for who in range(processes)
        )


def rows_of(identifier: str, count: int, who: int) -> pa.Table:
    """One item of what `append_many` gave."""
    turn = identifier.removeprefix("shared ").partition("-")[0]
    windows = {f"shared {turn}-{m}": 2 + who for m in range(4)} | {f"{who} {turn}-{m}": 2 for m in range(4)}
    table = rows(windows, seed=who)
    return table.filter(pa.array([name == identifier for name in table["id"].to_pylist()]))


# Damage


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


def test_places_that_cannot_be_are_refused_in_a_line(store: Store, tmp_path: Path) -> None:
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


def test_an_embedder_that_did_not_make_it_is_refused_with_both_named() -> None:
    renamed = EmbedderRecord("guide-2", DIMENSION, sha256="a" * 64)
    GUIDE.check(renamed, "my-index")  # the same weights under another name
    GUIDE.check(EmbedderRecord(None, DIMENSION), "my-index")
    for other, message in [
        (EmbedderRecord("judge", DIMENSION), "made by the embedder 'guide' .* this one is 'judge'"),
        (EmbedderRecord("guide", DIMENSION, sha256="b" * 64), r"weights a+\).* 'guide' .*weights b+\)"),
        (EmbedderRecord("guide", 8), r"\(6 numbers.*\(8 numbers\)"),
    ]:
        with pytest.raises(IndexFileError, match=message):
            GUIDE.check(other, "my-index")


# Search


def test_a_store_is_searched_as_numpy_searches_it(store: Store) -> None:
    table = rows({f"item {n:02d}": 1 + n % 3 for n in range(30)})
    table = pa.concat_tables([table, rows({"copy of 0": 1})])  # a tie, with "item 00"
    vectors = embeddings(table) * np.random.default_rng(1).uniform(0.5, 2, (len(table), 1)).astype(np.float32)
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), DIMENSION)
    table = table.set_column(4, schema(DIMENSION).field("embedding"), column)
    store.append(table.take(np.random.default_rng(2).permutation(len(table))))
    index = Index.open(store.uri)
    order = sorted(range(len(table)), key=lambda n: (table["id"][n].as_py(), table["window"][n].as_py()))
    exact = vectors[order].astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    queries = np.concatenate([np.random.default_rng(3).standard_normal((5, DIMENSION)), exact[:1]])
    cosines = queries / np.linalg.norm(queries, axis=1, keepdims=True) @ exact.T
    expected = np.argsort(-np.round(cosines, 14), axis=1, kind="stable")[:, :4]
    similarities, positions = index.search(torch.from_numpy(queries), 4)
    np.testing.assert_array_equal(positions, expected)
    np.testing.assert_allclose(similarities, np.take_along_axis(cosines, expected, 1), atol=1e-12)
    assert index.ids == [table["id"][n].as_py() for n in order]
    assert index.sha256 == store.checksum
    torch.testing.assert_close(
        index.vectors(torch.tensor([3, 0])).double(), torch.from_numpy(exact[[3, 0]]), atol=1e-6, rtol=0
    )


def test_an_answer_has_the_item_once_and_the_place_in_it(store: Store) -> None:
    store.append(rows({"long": 5}))
    store.append(rows({"short": 1}, seed=1, prompt=None))
    index = Index.open(store.uri)
    query = index.vectors(torch.tensor([3]))[0]
    found = index.nearest(query, 3)
    assert [item.id for item, _ in found] == ["long", "short"]
    assert found[0][0] == Item("long", "caption of long", 0.0, 3.0, 1.5, 2.5)
    assert found[0][1] == pytest.approx(1, abs=1e-6)
    assert found[1][0].prompt == ""
    assert (index.items, len(index), index.uncaptioned) == (2, 6, ["short"])
    assert index.sources == ["/sounds/long"] * 5 + ["/sounds/short"]


def test_silence_is_kept_and_never_found(store: Store) -> None:
    table = rows({"quiet": 2}, silent=True)
    nothing = pa.array([[0.0] * DIMENSION] * 2, table["embedding"].type)
    store.append(table.set_column(4, schema(DIMENSION).field("embedding"), nothing))
    index = Index.open(store.uri)
    with pytest.raises(InputError, match="empty index"):
        index.search(torch.ones(1, DIMENSION))
    store.append(rows({"loud": 2}))
    index = Index.open(store.uri)
    assert index.ids == ["loud", "loud"]
    assert index.search(torch.ones(1, DIMENSION), 10)[0].isfinite().all()
    assert store.verify() == []


def test_what_is_on_disk_is_only_read_by_an_index(store: Store) -> None:
    store.append(rows({"a": 1}))
    index = Index.open(store.uri)
    assert index.store is not None
    assert index.store.uri == store.uri
    for name in ("add", "remove", "save"):
        assert not hasattr(index, name)
    with pytest.raises(AttributeError):
        index.ids = []  # type: ignore[misc]


# The ledger


def test_the_ledger_knows_the_store_and_tells_what_comes_twice(store: Store) -> None:
    further = json.dumps({"licence": "CC0"})
    store.append(pa.concat_tables([rows({"a": 3}, further=further), rows({"b'": 1})]))
    ledger = Ledger(store)
    known = ledger.known("a")
    assert known is not None
    assert (known.content_sha256, known.seconds_total) == ("0" * 64, 2.0)
    assert known.described == described("caption of a", further) != described("caption of a", None)
    assert ledger.known("c") is None
    assert [ledger.see(name) for name in ("a", "c", "a")] == [True, True, False]
    assert list(ledger.unseen()) == [["b'"]]
