"""Fingerprints find a copy among very many references."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from melodies import RATE, melody

from unheard.auditing import Auditor, fingerprint
from unheard.auditing.auditor import DENSE, FINALISTS
from unheard.auditing.features import Signal


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_resemblance_is_that_of_every_part(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    counts = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=8))
    prints = rng.standard_normal((sum(counts), fingerprint.SIZE)).astype(np.float16)
    ends = np.cumsum(counts)
    begins = np.maximum(ends - counts - data.draw(st.integers(0, 2)), 0)  # parts may overlap
    queries = torch.from_numpy(rng.standard_normal((5, fingerprint.SIZE))).float()
    found = fingerprint.resemblance(queries, prints, begins, ends)
    for part, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        best = (queries.numpy() @ prints[begin:end].T.astype(np.float32)).max(axis=1)
        assert found[part] == pytest.approx(np.mean(np.maximum(best, 0) ** 2), rel=1e-4)


def test_a_copy_is_a_candidate_among_many(auditor: Auditor) -> None:
    rng = np.random.default_rng(0)
    strangers = rng.standard_normal((40_000, fingerprint.SIZE)).astype(np.float16)
    strangers /= np.linalg.norm(strangers, axis=1, keepdims=True)
    own = auditor.catalogue
    prints = np.concatenate([own.prints, strangers])
    ends = np.concatenate([own.parts[:, 2], len(own.prints) + np.arange(8, 40_001, 8)])
    begins = np.concatenate([own.parts[:, 1], len(own.prints) + np.arange(0, 40_000, 8)])
    for up in (0.0, 1.0):
        queries = fingerprint.fingerprints(Signal(melody(3, up=up), RATE).features, DENSE)
        scores = fingerprint.resemblance(queries, prints, begins, ends)
        assert (scores > scores[3]).sum() < FINALISTS
