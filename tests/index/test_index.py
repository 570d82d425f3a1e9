"""The training-set index: lossless files, exact search as numpy finds it, errors that name the place."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_embedder import PlainEmbedder
from published_files import entry, files, write
from torch import Tensor

from unheard.errors import IndexFileError, InputError
from unheard.index import Index, Item, JSONIndex, add_sounds


def random_index(rows: np.ndarray, embedder: str | None = None) -> JSONIndex:
    index = JSONIndex()
    count = len(rows)
    index.add(
        [f"item{n}" for n in range(count)],
        torch.from_numpy(rows),
        [f"caption {n}" for n in range(count)],
        [0.0] * count,
        [1.0] * count,
        embedder_name=embedder,
    )
    return index


def brute_force(rows: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosine by its definition; equal similarities in the order of the rows."""
    rows = rows / np.sqrt((rows**2).sum(1, keepdims=True))
    queries = queries / np.sqrt((queries**2).sum(1, keepdims=True))
    similarities = np.array([[float((row * query).sum()) for row in rows] for query in queries])
    order = np.argsort(-similarities, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(similarities, order, axis=1), order


# Files


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


def test_whole_numbers_embeddings_in_unknown_places_and_half_characters(tmp_path: Path) -> None:
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


def broken(change: Any) -> dict[str, Any]:
    """A file of three entries after `change(second entry)`."""
    content = {name: copy.deepcopy(entry([0.1, 0.2, 0.3])) for name in ("first", "second", "third")}
    change(content["second"])
    return content


def conditioning(key: str, value: Any) -> Any:
    return lambda made: made["conditioning"].__setitem__(key, value)


def drop(*keys: str) -> Any:
    def change(made: dict[str, Any]) -> None:
        for key in keys[:-1]:
            made = made[key]
        del made[keys[-1]]

    return change


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("{}", "no entries"),
        ("[]", "not a list"),
        ("3", "not the number 3"),
        ("null", "not null"),
        (
            '{"a": VALID,\n "b" 2}'.replace("VALID", json.dumps(entry([1.0]))),
            "not JSON: Expecting ':' delimiter at line 2, column 6",
        ),
        ("{" * 100_000, "not"),
        ("[" * 100_000, "not a usable JSON file"),
        ('{"a": ' + "1" * 5000 + "}", "not a usable JSON file"),
        ('{"first": 5}', 'id "first": the entry must be an object, not the number 5'),
        ('{"embedding": [0.5]}', 'id "embedding": the entry must be an object, not a list'),
        (broken(drop("embedding")), 'id "second": "embedding" is missing'),
        (broken(drop("conditioning")), 'id "second": "conditioning" is missing'),
        (
            broken(lambda e: e.update(conditioning=[])),
            '"second": "conditioning" must be an object, not a list',
        ),
        (broken(drop("conditioning", "prompt")), 'id "second": "prompt" is missing'),
        (broken(conditioning("prompt", None)), 'id "second": "prompt" must be a text, not null'),
        (broken(conditioning("prompt", 4)), 'id "second": "prompt" must be a text, not the number 4'),
        (broken(drop("conditioning", "seconds_start")), 'id "second": "seconds_start" is missing'),
        (broken(drop("conditioning", "seconds_total")), 'id "second": "seconds_total" is missing'),
        (
            broken(conditioning("seconds_start", "0")),
            '"seconds_start" must be a number of seconds, not the text',
        ),
        (broken(conditioning("seconds_total", True)), '"seconds_total" must be a number .* not true'),
        (broken(conditioning("seconds_total", -1)), '"seconds_total" must be a finite .* not -1'),
        (broken(conditioning("seconds_total", float("nan"))), '"seconds_total" must be a finite .* not nan'),
        (broken(conditioning("seconds_start", 10**400)), '"seconds_start" must be a finite'),
        (broken(lambda e: e.update(embedding="x")), '"embedding" must be a list of numbers, not the text'),
        (broken(lambda e: e.update(embedding=[])), 'id "second": "embedding" is an empty list'),
        (broken(lambda e: e.update(embedding=[0, 0.0, 0])), 'id "second": embedding is all zeros'),
        (broken(lambda e: e["embedding"].pop()), r'"second": embedding has 2 numbers.*"first"\) has 3'),
        (broken(lambda e: e["embedding"].__setitem__(1, None)), r"embedding\[1\] must be a number, not null"),
        (
            broken(lambda e: e["embedding"].__setitem__(2, False)),
            r"embedding\[2\] must be a number, not false",
        ),
        (
            broken(lambda e: e["embedding"].__setitem__(0, [1])),
            r"embedding\[0\] must be a number, not a list",
        ),
        (broken(lambda e: e["embedding"].__setitem__(1, float("nan"))), r'"second": embedding\[1\] is nan'),
        (broken(lambda e: e["embedding"].__setitem__(2, float("-inf"))), r'"second": embedding\[2\] is -inf'),
        (
            broken(lambda e: e["embedding"].__setitem__(2, 10**400)),
            'id "second": embedding has a whole number',
        ),
        (broken(lambda e: e.update(embedder=3)), '"embedder" must be a name, not the number 3'),
        ('{"a": {"embedding": [1e999]}}', r"embedding\[0\] is inf"),
        (
            '{"x": VALID, "x": VALID}'.replace("VALID", json.dumps(entry([1.0]))),
            'the id "x" occurs twice',
        ),
        ('{"x": {"embedding": [1.0], "embedding": [2.0]}}', 'id "x": "embedding" occurs twice in the entry'),
        (
            '{"x": {"embedding": [1.0], "conditioning": {"prompt": "a", "prompt": "b"}}}',
            'id "x": "prompt" occurs twice in "conditioning"',
        ),
        (
            json.dumps({"x": {**entry([1.0]), "y": 0}}).replace('"y": 0', '"y": {"z": 1, "z": 2}'),
            '"z" occurs twice',
        ),
    ],
)
def test_a_malformed_file_is_refused_with_the_place(tmp_path: Path, content: Any, message: str) -> None:
    path = write(tmp_path / "bad.json", content)
    with pytest.raises(IndexFileError, match=message) as raised:
        Index.open(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bytes.json").write_bytes(b'{"a\xff": 1}')
    with pytest.raises(IndexFileError, match="byte 3 is not UTF-8"):
        Index.open(tmp_path / "bytes.json")
    with pytest.raises(IndexFileError, match=r"missing\.json: No such file"):
        Index.open(tmp_path / "missing.json")
    with pytest.raises(IndexFileError, match="is no index; make one"):
        Index.open(tmp_path)


# Search


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 60),
    batch=st.integers(1, 5),
    dimension=st.integers(1, 16),
    k=st.integers(1, 8),
    seed=st.integers(0, 2**32 - 1),
)
def test_search_finds_what_brute_force_finds(
    count: int, batch: int, dimension: int, k: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    # Few different rows, of different lengths: many ties, and cosines that are not dot products.
    rows = generator.standard_normal((max(1, count // 3), dimension))[
        generator.integers(0, max(1, count // 3), count)
    ]
    rows *= 2.0 ** generator.integers(-2, 3, (count, 1))
    queries = generator.standard_normal((batch, dimension))
    similarities, positions = random_index(rows).search(torch.from_numpy(queries), k)
    expected_similarities, expected_positions = brute_force(rows, queries, k)
    assert similarities.dtype == torch.float64
    np.testing.assert_allclose(similarities, expected_similarities, atol=1e-12)
    if dimension > 1:  # in one dimension, different rows tie but for the last digit
        np.testing.assert_array_equal(positions, expected_positions)


def test_rows_nearer_to_one_another_than_float32_tells_are_told_apart() -> None:
    generator = np.random.default_rng(0)
    base = generator.standard_normal(64)
    rows = base + 1e-9 * generator.standard_normal((200, 64))
    queries = base + 1e-9 * generator.standard_normal((7, 64)) + 0.1 * generator.standard_normal((7, 64))
    _, positions = random_index(rows).search(torch.from_numpy(queries), 3)
    np.testing.assert_array_equal(positions, brute_force(rows, queries, 3)[1])


def test_a_batch_finds_what_each_query_finds_alone_and_copies_come_in_order() -> None:
    generator = np.random.default_rng(1)
    rows = np.repeat(generator.standard_normal((5, 24)), 40, axis=0)  # each sound forty times, as in the wild
    index = random_index(rows)
    queries = torch.from_numpy(generator.standard_normal((9, 24))).float()
    similarities, positions = index.search(queries, 3)
    assert similarities.dtype == torch.float32
    assert (positions % 40).tolist() == [[0, 1, 2]] * 9
    for query, similarity, position in zip(queries, similarities, positions, strict=True):
        alone_similarity, alone_position = index.search(query[None], 3)
        assert torch.equal(alone_similarity[0], similarity)
        assert torch.equal(alone_position[0], position)


def test_extreme_lengths_have_directions_too() -> None:
    index = random_index(np.array([[1e300, 1e300], [5e-324, 0.0], [0.0, -1e-200]]))
    similarities, positions = index.search(torch.tensor([[1.0, 1.0]], dtype=torch.float64), 3)
    assert positions.tolist() == [[0, 1, 2]]
    np.testing.assert_allclose(similarities, [[1.0, 0.5**0.5, -(0.5**0.5)]], atol=1e-12)


def test_a_query_that_is_not_finite_gets_nan_and_the_others_their_answer() -> None:
    index = random_index(np.eye(3))
    queries = torch.tensor([[0.0, 1.0, 0.0], [0.0, torch.nan, 0.0], [torch.inf, 0.0, 0.0]])
    similarities, positions = index.search(queries, 2)
    assert similarities[0].tolist() == [1.0, 0.0]
    assert positions[0].tolist() == [1, 0]
    assert similarities[1:].isnan().all()
    assert positions[1:].tolist() == [[0, 1], [0, 1]]


def test_search_asks_for_what_there_is() -> None:
    index = random_index(np.eye(3))
    similarities, positions = index.search(torch.ones(2, 3, dtype=torch.bfloat16, requires_grad=True), 10)
    assert similarities.shape == positions.shape == (2, 3)
    assert similarities.dtype == torch.float32
    assert not similarities.requires_grad
    assert index.search(torch.ones(0, 3))[0].shape == (0, 1)
    for queries, k, message in [
        (torch.ones(1, 4), 1, r"must be \[batch, 3\], not \[1, 4\]"),
        (torch.ones(3), 1, r"must be \[batch, 3\]"),
        (torch.ones(1, 3), 0, "k must be 1 or more"),
    ]:
        with pytest.raises(InputError, match=message):
            index.search(queries, k)
    with pytest.raises(InputError, match="empty index"):
        JSONIndex().search(torch.ones(1, 3))


# Embedders, and adding


def test_an_index_of_another_embedder_is_refused_with_both_named(tmp_path: Path) -> None:
    unnamed, named = random_index(np.eye(4)), random_index(np.eye(4), "guide")
    unnamed.check_embedder(PlainEmbedder("anything", 4))
    named.check_embedder(PlainEmbedder("guide", 4))
    with pytest.raises(IndexFileError, match=r"'guide' \(4 numbers\), but this one is 'guide' \(8 numbers\)"):
        named.check_embedder(PlainEmbedder("guide", 8))
    with pytest.raises(IndexFileError, match=r"not recorded .*this one is 'laion/clap' \(512 numbers\)"):
        unnamed.check_embedder(PlainEmbedder("laion/clap", 512))
    path = tmp_path / "named.json"
    named.save(path)
    index = Index.open(path)
    assert index.embedder.name == "guide"
    with pytest.raises(
        IndexFileError, match=r"named\.json was .*'guide' .* this one is 'judge' .*unheard\.json"
    ):
        index.check_embedder(PlainEmbedder("judge", 4))


def test_a_file_of_two_embedders_is_refused_with_both_named(tmp_path: Path) -> None:
    content = {
        "a": entry([1.0]),
        "b": {**entry([1.0]), "embedder": "guide"},
        "c": {**entry([1.0]), "embedder": "judge"},
    }
    with pytest.raises(
        IndexFileError, match='id "c" was made by the embedder "judge", but id "b" by "guide"'
    ):
        Index.open(write(tmp_path / "mixed.json", content))


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


class LevelEmbedder(PlainEmbedder):
    """Of the mean square alone."""

    def vectors(self, sounds: Tensor) -> Tensor:
        level = sounds.square().mean(dim=1)
        return torch.stack([level, torch.ones_like(level)], dim=1)


def test_sounds_are_added_and_the_unreadable_named(tmp_path: Path) -> None:
    first, second, broken = (
        tmp_path / "one" / "kick.wav",
        tmp_path / "two" / "kick.wav",
        tmp_path / "notes.wav",
    )
    for path, rate, frames in [(first, 16_000, 8000), (second, 44_100, 11_025)]:
        path.parent.mkdir()
        soundfile.write(path, np.full((frames, 2), 0.5), rate)
    broken.write_text("no sound")
    index_path = tmp_path / "mine.json"

    added = add_sounds(
        index_path, [first, broken, second, tmp_path / "gone.flac"], "a kick drum", LevelEmbedder("level")
    )
    assert added.ids == ["kick.wav", "kick-2.wav"]
    assert list(added.unreadable) == [broken, tmp_path / "gone.flac"]
    assert "notes.wav" in added.unreadable[broken]

    again = add_sounds(index_path, [first], "", LevelEmbedder("level"))
    assert again.ids == ["kick-3.wav"]
    index = Index.open(index_path)
    assert index.ids == ["kick.wav", "kick-2.wav", "kick-3.wav"]
    assert index.item(1) == Item("kick-2.wav", "a kick drum", 0.0, 0.25)
    assert index.embedder.name == "level"
    assert index.uncaptioned == ["kick-3.wav"]
    expected = LevelEmbedder("level").embed_audio(torch.full((1, 2, 10), 0.5), 1)
    torch.testing.assert_close(index.vectors(torch.tensor([0])), expected)


def test_adding_refuses_before_it_listens(tmp_path: Path) -> None:
    other = write(tmp_path / "other.json", {"a": {**entry([1.0, 0.0]), "embedder": "guide"}})
    sound = tmp_path / "a.wav"
    soundfile.write(sound, np.full(100, 0.5), 16_000)
    for path, sounds, error, message in [
        (tmp_path / "new.json", [], InputError, "no sounds to add"),
        (tmp_path / "missing" / "new.json", [sound], InputError, "does not exist; create it"),
        (other, [sound], IndexFileError, "made by the embedder 'guide' .* this one is 'level'"),
        (sound, [sound], IndexFileError, "not JSON"),
        (tmp_path / "new.json", [tmp_path / "gone.wav"], InputError, r"no sound could be read: .*gone\.wav"),
    ]:
        with pytest.raises(error, match=message):
            add_sounds(path, sounds, "caption", LevelEmbedder("level"))
    assert not (tmp_path / "new.json").exists()
