"""The approximate index: what it finds it measures exactly, what it misses it says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from unheard.errors import InputError
from unheard.index import Index
from unheard.index.searching import approximate, stored
from unheard.index.searching.approximate import (
    TARGET_RECALL,
    ApproximateVectors,
    build_approximate,
    is_built,
    record,
)
from unheard.index.searching.stored import read_approximately, read_exactly, read_store
from unheard.index.searching.vectors import ExactVectors
from unheard.index.store.embedder_record import EmbedderRecord
from unheard.index.store.rows import schema
from unheard.index.store.table import Store

COUNT, DIMENSION, SILENT = 1600, 24, 11
COPIES = [30, 31, 400]


def vectors(count: int, seed: int) -> np.ndarray:
    """Around forty directions with a mean in common, not of unit length."""
    shared = np.random.default_rng(0)
    centres = 1 + 1.5 * shared.standard_normal((40, DIMENSION))
    generator = np.random.default_rng(seed)
    return (
        centres[generator.integers(0, 40, count)] + 0.8 * generator.standard_normal((count, DIMENSION))
    ) * 3


def rows(embeddings: np.ndarray, first: int = 0) -> pa.Table:
    made = [
        {
            "id": f"{number:06}",
            "window": 0,
            "window_start": 0.0,
            "window_end": 1.0,
            "embedding": vector,
            "prompt": f"caption {number}",
            "seconds_start": 0.0,
            "seconds_total": 1.0,
            "silent": number == SILENT,
        }
        for number, vector in enumerate(embeddings.astype(np.float32).tolist(), first)
    ]
    return pa.Table.from_pylist(made, schema=schema(DIMENSION))


@pytest.fixture(scope="module", autouse=True)
def _small_sample() -> Iterator[None]:
    """Each item of the sample is searched for by itself, several times over."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(approximate, "SAMPLE", 100)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    uri = tmp_path_factory.mktemp("approximate") / "store"
    store = Store.create(uri, EmbedderRecord("guide", DIMENSION))
    embeddings = vectors(COUNT, 1)
    embeddings[COPIES] = embeddings[7]
    embeddings[SILENT] = 0
    store.append(rows(embeddings[600:], 600))
    store.append(rows(embeddings[:600]))
    assert record(store) is None
    assert not is_built(store)
    build_approximate(uri)
    return uri


def both(folder: Path) -> tuple[Index, Index]:
    """The exact index and the approximate one."""
    store = Store.open(folder)
    return Index(read_exactly(store)), Index(read_approximately(store))


def test_its_recall_is_measured_and_recorded(folder: Path) -> None:
    measured = record(Store.open(folder))
    assert measured is not None
    assert (measured.cells, measured.windows) == (40, COUNT)
    assert measured.probes <= measured.cells
    assert TARGET_RECALL <= measured.recall <= 1
    # Measured anew, by other means: each item's nearest other among all.
    exact, approximate = both(folder)
    sample = torch.arange(0, len(exact), 14)
    best = exact.search(exact.vectors(sample), 2)[0]
    found = approximate.search(exact.vectors(sample), 2)[0]
    # Four deviations of two measurements, of 100 items each: LanceDB draws its cells anew each time.
    assert ((found - best).abs() < 1e-6).all(dim=1).float().mean() >= TARGET_RECALL - 0.06


def test_what_it_finds_is_measured_as_the_exact_index_does(folder: Path) -> None:
    exact, approximate = both(folder)
    assert approximate.ids == exact.ids
    assert len(approximate) == COUNT - 1
    queries = torch.from_numpy(vectors(40, 2))
    similarities, positions = approximate.search(queries, 3)
    assert similarities.dtype == torch.float64
    everything, _ = exact.search(queries, len(exact))
    order = exact.search(queries, len(exact))[1]
    for query in range(len(queries)):
        ranks = [int((order[query] == position).nonzero()) for position in positions[query]]
        assert ranks == sorted(ranks)
        torch.testing.assert_close(similarities[query], everything[query][ranks], atol=1e-12, rtol=0)
    assert (positions[:, 0] == order[:, 0]).float().mean() >= 0.9
    torch.testing.assert_close(approximate.vectors(positions[:, 0]), exact.vectors(positions[:, 0]))
    assert approximate.item(4) == exact.item(4)
    assert approximate.nearest(queries[0].float(), 2)[0][0] == exact.item(int(positions[0, 0]))


def test_of_equally_near_the_first_and_silence_never(folder: Path) -> None:
    index = Index(read_approximately(Store.open(folder)))
    copied = torch.from_numpy(vectors(COUNT, 1)[7])[None]
    similarities, positions = index.search(copied.float(), 4)
    assert [index.ids[position] for position in positions[0]] == ["000007", "000030", "000031", "000400"]
    assert similarities.dtype == torch.float32
    torch.testing.assert_close(similarities, torch.ones(1, 4))
    assert f"{SILENT:06}" not in index.ids
    _, everyone = index.search(copied, len(index))
    assert sorted(everyone[0].tolist()) == list(range(len(index)))


def test_queries_without_a_direction_and_wrong_ones(folder: Path) -> None:
    index = Index(read_approximately(Store.open(folder)))
    queries = torch.from_numpy(vectors(3, 4))
    queries[1, 0], queries[2] = torch.nan, 0
    similarities, positions = index.search(queries, 2)
    assert similarities[0].isfinite().all()
    assert similarities[1:].isnan().all()
    assert positions[1:].tolist() == [[0, 1], [0, 1]]
    for wrong, k, message in [
        (torch.ones(1, 3), 1, "must be"),
        (queries, 0, "k is 0: give a whole number of at least 1"),
    ]:
        with pytest.raises(InputError, match=message):
            index.search(wrong, k)


def test_what_is_added_and_removed_later_is_seen(folder: Path, tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store", EmbedderRecord("guide", DIMENSION))
    embeddings = vectors(1200, 5)
    store.append(rows(embeddings))
    measured = build_approximate(store.uri)
    store = Store.open(store.uri)
    store.remove(["000100"])
    new = vectors(2, 6)
    store.append(rows(new, 5000))
    for step in ("as they come", "joined"):
        index = Index(read_approximately(Store.open(store.uri)))
        queries = torch.from_numpy(np.concatenate([new, embeddings[[100, 101]]])).float()
        similarities, positions = index.search(queries)
        found = [index.ids[position] for position in positions[:, 0]]
        assert found[:2] == ["005000", "005001"], step
        assert found[2] != "000100"
        assert found[3] == "000101"
        assert similarities[2] < 1 - 1e-4
        assert record(store) == measured
        store.optimize()
    assert "000100" not in index.ids


def test_it_answers_beyond_the_limit_and_is_named_where_it_is_not_built(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def chosen(uri: str | Path) -> type:
        return type(read_store(Store.open(uri)).vectors)

    assert chosen(folder) is ExactVectors
    monkeypatch.setattr(stored, "EXACT_LIMIT", 100)
    assert chosen(folder) is ApproximateVectors
    store = Store.create(tmp_path / "store", EmbedderRecord("guide", DIMENSION))
    store.append(rows(vectors(200, 7)))
    with pytest.warns(UserWarning, match="build an approximate index") as warned:
        assert Index.open(store.uri).ids == [f"{number:06}" for number in range(200) if number != SILENT]
    assert warned[0].filename == __file__
    with pytest.warns(UserWarning, match="build an approximate index"):
        assert chosen(store.uri) is ExactVectors
    with pytest.raises(InputError, match="200 windows: comparing all of them is as fast"):
        build_approximate(store.uri)
    with pytest.raises(InputError, match="has no approximate index; build it with"):
        Index(read_approximately(Store.open(store.uri)))


def test_its_record_is_plain_numbers(folder: Path) -> None:
    measured = record(Store.open(folder))
    assert measured is not None
    assert set(asdict(measured)) == {"kind", "cells", "probes", "candidates", "recall", "sample", "windows"}
