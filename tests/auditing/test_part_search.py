"""The highest number of each part, against looking at each part alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unheard.auditing import part_search
from unheard.auditing.part_search import highest_of_parts


@pytest.fixture(scope="module", autouse=True)
def small_blocks() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(part_search, "BLOCK", 7)
        yield


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12))
def test_each_part_has_its_highest(seed: int, parts: int) -> None:
    rng = np.random.default_rng(seed)
    begins = np.cumsum(rng.integers(0, 4, parts))
    ends = np.maximum.accumulate(begins + rng.integers(1, 12, parts))
    table = rng.standard_normal((3, int(ends[-1]) + 2))
    found = highest_of_parts(lambda start, stop: table[:, start:stop], begins, ends)
    expected = [table[:, begin:end].max(axis=1) for begin, end in zip(begins, ends, strict=True)]
    assert np.array_equal(found, np.stack(expected, axis=1))
