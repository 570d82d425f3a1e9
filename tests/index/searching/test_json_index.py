"""A JSON file is read, changed and saved without loss; adding is all or nothing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from published_files import entry, files, write
from random_index import random_index

from unheard.errors import IndexFileError, InputError
from unheard.index import Index, Item, JSONIndex


@settings(max_examples=60, deadline=None)
@given(content=files(), escaped=st.booleans())
def test_round_trip_loses_nothing(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any], escaped: bool
) -> None:
    path = tmp_path_factory.mktemp("index") / "a.json"
    write(path, json.dumps(content, ensure_ascii=escaped))
    index = JSONIndex.open(path)
    index.save(path)
    read = json.loads(path.read_text(encoding="utf-8"))
    # repr tells 0.0 from -0.0, shows every digit, and keeps the order of the keys.
    assert repr(read) == repr(content)
    assert index.ids == list(content)
    assert index.prompts == [one["conditioning"]["prompt"] for one in content.values()]
    again = Index.open(path)
    assert again.sha256 == index.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_whole_numbers_embeddings_under_unknown_keys_and_half_characters(tmp_path: Path) -> None:
    content = {"a\ud800": {**entry([1, 2], "naïve 鐘", 0, 3), "was": {"embedding": [0.5, 1.5]}}}
    path = write(tmp_path / "a.json", "\ufeff" + json.dumps(content))
    index = JSONIndex.open(path)
    index.save(path)
    assert json.loads(path.read_text(encoding="utf-8")) == content
    assert "鐘" in path.read_text(encoding="utf-8")
    assert index.item(0) == Item("a\ud800", "naïve 鐘", 0.0, 3.0)


def test_the_published_format_is_read(tmp_path: Path) -> None:
    content = {
        "train_7": entry([3.0, 4.0], "An acoustic drum loop, 110 bpm", 12, 60.5),
        "train_8": entry([-1.0, 0.0], ""),
    }
    path = write(tmp_path / "embeddings_new.json", content)
    index = Index.open(path)
    assert (len(index), index.dimension, index.embedder.name, index.path) == (2, 2, None, path)
    assert index.item(0) == Item("train_7", "An acoustic drum loop, 110 bpm", 12.0, 60.5)
    assert (index.seconds_start, index.seconds_total) == ([12.0, 0.0], [60.5, 2.0])
    assert index.uncaptioned == ["train_8"]
    torch.testing.assert_close(index.vectors(torch.tensor([1, 0])), torch.tensor([[-1.0, 0.0], [0.6, 0.8]]))
    [(item, similarity)] = index.nearest(torch.tensor([1.0, 1.0]))
    assert item.id == "train_7"
    assert similarity == pytest.approx(7 / 5 / 2**0.5)


def test_saving_fails_without_touching_what_is_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", {"a": entry([1.0])})
    with pytest.raises(InputError, match="no entries"):
        JSONIndex().save(path)
    with pytest.raises(InputError, match="does not exist"):
        JSONIndex.open(path).save(tmp_path / "missing" / "a.json")
    assert Index.open(path).ids == ["a"]
    assert list(tmp_path.iterdir()) == [path]


def test_adding_is_all_or_nothing() -> None:
    index = random_index(np.eye(2), "guide")
    before = index.sha256
    for arguments, error, message in [
        (
            (["new", "item0"], np.eye(2), ["a", "b"], [0.0] * 2, [1.0] * 2),
            InputError,
            "'item0' is in the index already",
        ),
        (
            (["x", "x"], np.eye(2), ["a", "b"], [0.0] * 2, [1.0] * 2),
            InputError,
            "'x' is in the index already",
        ),
        ((["x"], np.eye(2), ["a", "b"], [0.0] * 2, [1.0] * 2), InputError, "equally many"),
        ((["x"], np.eye(3)[:1], ["a"], [0.0], [1.0]), IndexFileError, 'id "x": embedding has 3 numbers'),
        (
            (["x"], np.full((1, 2), np.nan), ["a"], [0.0], [1.0]),
            IndexFileError,
            r'id "x": embedding\[0\] is nan',
        ),
        ((["x"], np.eye(2)[:1], [None], [0.0], [1.0]), IndexFileError, '"prompt" must be a text'),
        ((["x"], np.eye(2)[:1], ["a"], [-1.0], [1.0]), IndexFileError, '"seconds_start" must be'),
    ]:
        with pytest.raises(error, match=message):
            index.add(*arguments, embedder_name="guide")  # type: ignore[arg-type]
    with pytest.raises(IndexFileError, match='made by the embedder "judge", but id "item0" by "guide"'):
        index.add(["x"], np.eye(2)[:1], ["a"], [0.0], [1.0], embedder_name="judge")
    assert index.ids == ["item0", "item1"]
    assert index.sha256 == before
    index.add(["x"], torch.tensor([[0.3, 0.4]]), ["ä"], [0.0], [1.0], embedder_name="guide")
    assert index.sha256 != before
    assert index.search(torch.tensor([[0.6, 0.8]]))[1].item() == 2
