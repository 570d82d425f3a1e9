"""Clusters of an index say what repeats in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from unheard.errors import InputError
from unheard.index import JSONIndex
from unheard.index.clustering import near_captions
from unheard.index.clustering.clusters import caption_clusters, find_duplicates, medoid, sound_clusters
from unheard.index.store.embedder_record import EmbedderRecord
from unheard.index.store.rows import schema
from unheard.index.store.table import Store


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def index_of(vectors: np.ndarray, captions: list[str]) -> JSONIndex:
    index = JSONIndex()
    count = len(vectors)
    index.add([f"item {n}" for n in range(count)], vectors, captions, [0.0] * count, [1.0] * count)
    return index


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
    assert first.windows is None
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
    sounds = [(one.ids, one.windows) for one in found.clusters if one.kind == "sound"]
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
        ({"sound_threshold": 0}, "sound_threshold is 0: give a number above 0"),
        ({"caption_threshold": 1.1}, "caption_threshold is 1.1: give a number from 0 to 1"),
        ({"minimum_size": 1}, "minimum_size is 1: give a whole number of at least 2"),
    ],
)
def test_what_cannot_be_asked_for(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_duplicates(tmp_path, **options)
