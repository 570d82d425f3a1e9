"""From the published format into an index on disk, and out of it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published_files import entry, write

from unheard.errors import IndexFileError, InputError
from unheard.index.published import exchange
from unheard.index.published.exchange import Exported, Imported, export_json, import_json
from unheard.index.store.embedder_record import EmbedderRecord
from unheard.index.store.rows import schema
from unheard.index.store.table import Store

embedding = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=3, max_size=3)
texts = st.text(max_size=12) | st.text(st.characters(categories=["Cs"]) | st.characters(), max_size=4)


@st.composite
def training_sets(draw: st.DrawFn) -> dict[str, Any]:
    content = {}
    for identifier in draw(st.lists(texts, min_size=1, max_size=6, unique=True)):
        made = entry(
            draw(embedding.filter(any)), draw(texts), draw(st.floats(0, 1e6)), draw(st.floats(0, 1e6))
        )
        made["conditioning"].update(draw(st.dictionaries(texts.map("x-{}".format), texts, max_size=1)))
        content[identifier] = {**made, **draw(st.dictionaries(texts.map("y-{}".format), texts, max_size=2))}
    return content


@settings(max_examples=12, deadline=None)
@given(content=training_sets(), named=st.booleans())
def test_round_trip_through_the_store(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any], named: bool
) -> None:
    folder = tmp_path_factory.mktemp("trip")
    if named:
        content = {identifier: {**made, "embedder": "naïve/guide"} for identifier, made in content.items()}
    write(folder / "in.json", content)
    assert import_json(folder / "in.json", folder / "store") == Imported(len(content), 0)
    assert export_json(folder / "store", folder / "out.json") == Exported(len(content), 0, 0)
    read = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    assert read == content
    assert all(
        np.array(read[one]["embedding"], dtype="<f4").tobytes()
        == np.array(content[one]["embedding"], dtype="<f4").tobytes()
        for one in content
    )


def many(count: int) -> dict[str, Any]:
    vectors = np.random.default_rng(0).standard_normal((count, 8))
    return {
        f"id {number}": entry(vector.tolist(), f"caption {number}") for number, vector in enumerate(vectors)
    }


def test_numbers_are_rounded_to_float32_once(tmp_path: Path) -> None:
    content = many(5)
    import_json(write(tmp_path / "in.json", content), tmp_path / "store")
    export_json(tmp_path / "store", tmp_path / "out.json")
    read = json.loads((tmp_path / "out.json").read_text())
    for identifier, made in content.items():
        assert read[identifier]["embedding"] == np.array(made["embedding"], np.float32).tolist()


def test_a_stopped_import_is_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "COMMIT", 10)
    content, store = many(47), tmp_path / "store"
    broken = dict(content)
    broken["id 33"] = entry([0.0] * 8)
    with pytest.raises(IndexFileError, match='id "id 33": embedding is all zeros'):
        import_json(write(tmp_path / "broken.json", broken), store)
    assert len(Store.open(store)) == 30

    seen = []
    path = write(tmp_path / "in.json", content)
    assert import_json(path, store, progress=lambda *at: seen.append(at)) == Imported(17, 30)
    assert seen[-1] == (path.stat().st_size,) * 2
    assert import_json(path, store) == Imported(0, 47)
    export_json(store, tmp_path / "out.json")
    assert set(json.loads((tmp_path / "out.json").read_text())) == set(content)

    changed = content | {"id 5": content["id 6"]}
    with pytest.raises(
        IndexFileError, match=r'id "id 5" is in .*store already, with another content; remove it'
    ):
        import_json(write(tmp_path / "changed.json", changed), store)


@pytest.mark.parametrize("distance", [1, 25])
def test_an_id_that_comes_again_is_found_near_and_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, distance: int
) -> None:
    monkeypatch.setattr(exchange, "COMMIT", 10)
    lines = [f"{json.dumps(name)}: {json.dumps(made)}" for name, made in many(47).items()]
    lines.insert(11 + distance, lines[11])
    path = write(tmp_path / "in.json", "{" + ",".join(lines) + "}")
    with pytest.raises(IndexFileError, match='the id "id 11" occurs twice'):
        import_json(path, tmp_path / "store")


def test_a_wrong_file_makes_no_index(tmp_path: Path) -> None:
    store = tmp_path / "store"
    for content, message in [
        ("{}", "holds no entries"),
        ({"a": entry([])}, 'id "a": "embedding" is an empty list'),
        ({"a": entry([1.0]), "b": entry([1.0, 2.0])}, "embedding has 2 numbers"),
        ({"a": {**entry([1.0]), "embedder": "judge"}}, "made by the embedder 'judge', not by 'guide'"),
    ]:
        with pytest.raises(IndexFileError, match=message):
            import_json(write(tmp_path / "in.json", content), store, embedder_name="guide")
        assert not Store.exists(store)
    for number, message in [
        (1e39, r'id "a": embedding\[1\] is 1e\+39, beyond float32'),
        (1e-60, "all zeros in"),
    ]:
        with pytest.raises(IndexFileError, match=message):
            import_json(write(tmp_path / "in.json", {"a": entry([0.0, number])}), tmp_path / f"{number}")
    with pytest.raises(IndexFileError, match="cannot read the index"):
        import_json(tmp_path / "missing.json", store)


def test_embedders_must_agree(tmp_path: Path) -> None:
    store = tmp_path / "store"
    import_json(write(tmp_path / "a.json", {"a": entry([1.0])}), store, embedder_name="guide")
    assert Store.open(store).embedder.name == "guide"
    named = write(tmp_path / "b.json", {"b": {**entry([1.0]), "embedder": "judge"}})
    with pytest.raises(IndexFileError, match=r"'guide' .* 'judge'"):
        import_json(named, store)
    longer = write(tmp_path / "c.json", {"c": entry([1.0, 2.0])})
    with pytest.raises(IndexFileError, match="2 numbers"):
        import_json(longer, store)
    unnamed = write(tmp_path / "d.json", {"d": entry([2.0])})
    assert import_json(unnamed, store) == Imported(1, 0)


def test_long_recordings_leave_as_their_mean_and_silent_ones_stay(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store", EmbedderRecord("guide", 2))
    rows = [
        ("long", 0, [2.0, 0.0], "wind", False),
        ("long", 1, [0.0, 0.0], "wind", True),
        ("long", 2, [0.0, 1.0], "wind", False),
        ("quiet", 0, [0.0, 0.0], "nothing", True),
        ("short", 0, [3.0, 4.0], None, False),
    ]
    names = ("id", "window", "embedding", "prompt", "silent")
    defaults = {
        "window_start": 0.0,
        "window_end": 1.0,
        "seconds_start": 0.0,
        "seconds_total": 2.0,
        "content_sha256": None,
        "source": None,
        "further": '{"licence": "CC0", "embedding": "not ours"}',
    }
    made = [dict(zip(names, row, strict=True)) | defaults for row in rows]
    store.append(pa.Table.from_pylist(made, schema=schema(2)))
    assert export_json(store.uri, tmp_path / "out.json") == Exported(items=2, averaged=1, silent=1)
    read = json.loads((tmp_path / "out.json").read_text())
    assert set(read) == {"long", "short"}
    np.testing.assert_allclose(read["long"]["embedding"], [0.5**0.5, 0.5**0.5], rtol=1e-6)
    assert read["short"] == {
        "embedding": [3.0, 4.0],
        "conditioning": {"prompt": "", "seconds_start": 0.0, "seconds_total": 2.0},
        "embedder": "guide",
        "licence": "CC0",
    }
    store.remove(["long", "short"])
    with pytest.raises(InputError, match="holds no sound that is not silent"):
        export_json(store.uri, tmp_path / "again.json")
