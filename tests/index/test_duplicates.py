"""Clusters of near-identical sounds and captions, against comparing all with all."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from unheard.errors import InputError
from unheard.index import JSONIndex
from unheard.index.clustering import near_captions, near_vectors
from unheard.index.clustering.clusters import caption_clusters, find_duplicates, medoid, sound_clusters
from unheard.index.searching.captions import normalised
from unheard.index.store.embedder_record import EmbedderRecord
from unheard.index.store.rows import schema
from unheard.index.store.table import Store


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def linked(near: np.ndarray) -> np.ndarray:
    """For each node the first of its component in a matrix of links."""
    _, labels = connected_components(near, directed=False)
    return np.array([np.flatnonzero(labels == label)[0] for label in labels])


def index_of(vectors: np.ndarray, captions: list[str]) -> JSONIndex:
    index = JSONIndex()
    count = len(vectors)
    index.add([f"item {n}" for n in range(count)], vectors, captions, [0.0] * count, [1.0] * count)
    return index


# Vectors


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 400),
    dimension=st.integers(1, 130),
    copies=st.integers(0, 60),
    spread=st.floats(0, 0.5),
    common=st.floats(0, 2),
    threshold=st.floats(0.3, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_vectors_are_linked_as_comparing_all_with_all_links_them(
    count: int, dimension: int, copies: int, spread: float, common: float, threshold: float, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    vectors = generator.standard_normal((count, dimension)) + common
    to, of = generator.integers(0, count, (2, copies))
    vectors[to] = vectors[of] + spread * generator.standard_normal((copies, dimension))
    vectors = unit(vectors)
    exact = vectors.astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    cosines = exact @ exact.T
    upper = np.triu_indices(count, 1)
    if np.abs(cosines[upper] - threshold).min(initial=1) < 1e-8:
        return  # on the threshold the last digit decides
    found = near_vectors.single_linkage(vectors, threshold)
    np.testing.assert_array_equal(found, linked(cosines >= threshold))


def test_many_blocks_many_copies_and_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_vectors, "ROWS", 16)
    monkeypatch.setattr(near_vectors, "COLUMNS", 64)
    monkeypatch.setattr(near_vectors, "MEASURED_AT_ONCE", 50)
    monkeypatch.setattr(near_vectors, "PENDING", 20)
    generator = np.random.default_rng(0)
    vectors = unit(np.concatenate([generator.standard_normal((500, 40)), np.ones((300, 40))]))
    planted = generator.permutation(800)
    vectors = vectors[planted]
    seen: list[tuple[int, int]] = []
    labels = near_vectors.single_linkage(vectors, 0.99, progress=lambda *at: seen.append(at))
    np.testing.assert_array_equal(labels, linked(vectors @ vectors.T >= 0.99))
    assert np.bincount(labels).max() == 300
    assert seen[-1] == (800, 800)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_chain_is_one_cluster_and_equal_vectors_are_near_at_one() -> None:
    angles = np.arange(0, 1, 0.1)
    chain = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert set(near_vectors.single_linkage(chain, np.cos(0.11))) == {0}
    assert len(set(near_vectors.single_linkage(chain, np.cos(0.09)))) == len(chain)
    twice = unit(np.repeat(np.random.default_rng(1).standard_normal((5, 7)), 2, axis=0))
    assert near_vectors.single_linkage(twice, 1.0).tolist() == [0, 0, 2, 2, 4, 4, 6, 6, 8, 8]


def test_the_medoid_lies_where_its_neighbours_are_nearest() -> None:
    generator = np.random.default_rng(2)
    vectors = unit(1 + 0.2 * generator.standard_normal((50, 6)))
    cosines = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    for neighbours in (1, 3, 60):
        means = [
            np.mean(sorted(1 - np.delete(row, number))[:neighbours]) for number, row in enumerate(cosines)
        ]
        assert means[medoid(vectors, neighbours)] == pytest.approx(min(means), abs=1e-7)
    assert medoid(unit(np.ones((3, 4)))) == 0


# Captions

words = st.sampled_from(["drum", "loop", "piano", "110 bpm", "slow", "an", "x", "naïve 鐘"])
captions = st.lists(words, min_size=1, max_size=9).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(captions, min_size=1, max_size=30, unique=True), threshold=st.floats(0.5, 0.99))
def test_captions_are_linked_as_comparing_all_with_all_links_them(texts: list[str], threshold: float) -> None:
    near = np.eye(len(texts), dtype=bool)
    for one, other in combinations(range(len(texts)), 2):
        near[one, other] = near_captions.likeness(texts[one], texts[other]) >= threshold
    np.testing.assert_array_equal(near_captions.single_linkage(texts, threshold), linked(near))


def test_case_punctuation_and_spacing_are_no_difference() -> None:
    for one, other in [
        ("An Acoustic drum-loop,  110 BPM!", "an acoustic drum loop 110 bpm"),
        ("\uff24\uff32\uff35\uff2d \ufb01ll", "drum fill"),
        ("Straße", "STRASSE"),
    ]:
        assert normalised(one) == normalised(other)
    assert normalised("drum loop 110") != normalised("drum loop 120")
    assert near_captions.likeness("drum loop", "drum loop") == 1
    assert near_captions.likeness("drum loop", "xyz") == 0


def test_likeness_is_the_share_of_trigrams_in_common() -> None:
    # "  a", " ab", "abc", "bc " and "  a", " ab", "abd", "bd "
    assert near_captions.likeness("abc", "abd") == pytest.approx(2 / 6)


# Clusters of an index


def test_clusters_say_what_repeats() -> None:
    generator = np.random.default_rng(3)
    vectors = generator.standard_normal((12, 32))
    for copy, of in [(4, 1), (7, 1), (9, 2)]:
        vectors[copy] = vectors[of] + 0.02 * generator.standard_normal(32)
    texts = [
        "A bell",
        "",
        "Rain, heavy",
        "a  bell!",
        " ",
        "Wind",
        "A BELL",
        "Drums",
        "Rain heavy",
        "Sea",
        "",
        "",
    ]
    index = index_of(vectors, texts)

    first, second = sound_clusters(index, 0.98)
    assert (first.kind, first.size, first.ids) == ("sound", 3, ["item 1", "item 4", "item 7"])
    assert first.prompt == "Drums"  # the only one of the three that has a caption
    assert first.representative in first.ids
    assert first.similarities[first.ids.index(first.representative)] == 1
    assert first.places is None
    assert (second.ids, second.prompt) == (["item 2", "item 9"], "Rain, heavy")
    assert sound_clusters(index, 0.98, minimum_size=3) == [first]
    assert sound_clusters(index, 0.99999) == sound_clusters(JSONIndex()) == []

    bells, rain = caption_clusters(index)
    assert (bells.kind, bells.prompt, bells.size) == ("caption", "A bell", 3)
    assert (bells.ids, bells.representative) == (["item 0", "item 3", "item 6"], "item 0")
    assert bells.similarities == [1, 1, 1]
    assert rain.ids == ["item 2", "item 8"]
    assert caption_clusters(index_of(vectors, [""] * 12)) == []


def test_the_representative_caption_is_the_one_most_items_have() -> None:
    long = "a very long description of a slow piano piece recorded in a large hall at night"
    texts = [long + " one", long, long + " two", long, "Something else"]
    [cluster] = caption_clusters(index_of(np.eye(5), texts))
    assert (cluster.size, cluster.representative, cluster.prompt) == (4, "item 1", long)
    expected = [near_captions.likeness(long, text) for text in texts[:4]]
    assert cluster.similarities == pytest.approx(expected, abs=1e-6)


def stored(folder: Path, rows: list[tuple[str, int, list[float], str | None, bool]]) -> Store:
    store = Store.create(folder / "store", EmbedderRecord("guide", 3))
    names = ("id", "window", "embedding", "prompt", "silent")
    made: list[dict[str, Any]] = [
        dict(zip(names, row, strict=True))
        | {
            "window_start": 1.0 * row[1],
            "window_end": 2.0 + row[1],
            "seconds_start": 0.0,
            "seconds_total": 9.0,
        }
        for row in rows
    ]
    store.append(pa.Table.from_pylist(made, schema=schema(3)))
    return store


def test_recordings_repeat_by_a_passage_and_not_within_themselves(tmp_path: Path) -> None:
    store = stored(
        tmp_path,
        [
            ("a", 0, [1.0, 0.0, 0.0], "wind", False),
            ("a", 1, [0.0, 1.0, 0.0], "wind", False),
            ("b", 0, [0.0, 0.0, 1.0], "rain", False),
            ("b", 1, [0.0, 1.0, 0.01], "rain", False),
            ("b", 2, [0.0, 1.0, 0.02], "rain", False),
            ("c", 0, [1.0, 0.01, 0.0], None, False),
            ("d", 0, [-1.0, 0.0, 0.0], "Rain", False),
            ("d", 1, [-1.0, 0.01, 0.0], "Rain", False),
            ("e", 0, [0.0, 0.0, 0.0], "wind", True),
            ("f", 0, [0.0, 0.0, 0.0], "wind", True),
        ],
    )
    seen: list[tuple[int, int]] = []
    found = find_duplicates(store.uri, progress=lambda *at: seen.append(at))
    assert (found.items, found.uncaptioned) == (4, 1)
    assert seen[-1] == (8, 8)
    sounds = [(one.ids, one.places) for one in found.clusters if one.kind == "sound"]
    assert sorted(sounds) == [(["a", "b"], [(1.0, 3.0), (1.0, 3.0)]), (["a", "c"], [(0.0, 2.0), (0.0, 2.0)])]
    assert [one.ids for one in found.clusters if one.kind == "caption"] == [["b", "d"]]

    found.save(tmp_path / "clusters.json")
    read = json.loads((tmp_path / "clusters.json").read_text(encoding="utf-8"))
    assert read["index"] == store.uri
    assert read["sha256"] == store.checksum
    assert [one["prompt"] for one in read["clusters"]] == [one.prompt for one in found.clusters]
    assert read["clusters"][0]["size"] == 2
    assert find_duplicates(store.uri, minimum_size=3).clusters == []


def test_a_json_file_is_taken_as_well(tmp_path: Path) -> None:
    index_of(np.array([[1.0, 0.0], [1.0, 0.001], [0.0, 1.0]]), ["a", "b", "c"]).save(tmp_path / "a.json")
    found = find_duplicates(tmp_path / "a.json")
    assert [one.ids for one in found.clusters] == [["item 0", "item 1"]]
    find_duplicates(tmp_path / "a.json", minimum_size=5).save(tmp_path / "none.json")
    assert json.loads((tmp_path / "none.json").read_text())["clusters"] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sound_threshold": 0}, "the sound threshold must be above 0 and at most 1, not 0"),
        ({"caption_threshold": 1.1}, "the caption threshold must be above 0 and at most 1, not 1.1"),
        ({"minimum_size": 1}, "a cluster has 2 items or more"),
    ],
)
def test_what_cannot_be_asked_for(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_duplicates(tmp_path, **options)
