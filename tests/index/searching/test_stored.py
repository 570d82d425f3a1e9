"""A store is searched as numpy searches it, one answer an item, and is only read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from stored_rows import DIMENSION, GUIDE, rows

from unheard.errors import InputError
from unheard.index import Index, Item
from unheard.index.store.rows import embeddings, schema
from unheard.index.store.table import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "index", GUIDE)


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


def test_an_answer_has_the_item_once_and_its_nearest_window(store: Store) -> None:
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


def test_silence_is_stored_and_never_found(store: Store) -> None:
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
