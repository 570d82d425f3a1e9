"""Search as numpy finds it, on exact vectors in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_embedder import PlainEmbedder
from random_index import random_index

from unheard.errors import IndexFileError, InputError
from unheard.index import Index, JSONIndex


def brute_force(rows: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosine by its definition; equal similarities in the order of the rows."""
    rows = rows / np.sqrt((rows**2).sum(1, keepdims=True))
    queries = queries / np.sqrt((queries**2).sum(1, keepdims=True))
    similarities = np.array([[float((row * query).sum()) for row in rows] for query in queries])
    order = np.argsort(-similarities, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(similarities, order, axis=1), order


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
        (torch.ones(1, 3), 0, "k is 0: give a whole number of at least 1"),
    ]:
        with pytest.raises(InputError, match=message):
            index.search(queries, k)
    with pytest.raises(InputError, match="empty index"):
        JSONIndex().search(torch.ones(1, 3))


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
