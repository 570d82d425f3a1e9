"""Vectors that are near to one another, against comparing all with all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from linked import linked

from unheard.index.clustering import near_vectors


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


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
