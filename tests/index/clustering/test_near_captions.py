"""Captions that are near to one another, against comparing all with all."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from linked import linked

from unheard.index.clustering import near_captions
from unheard.index.searching.captions import normalised

words = st.sampled_from(["drum", "loop", "piano", "110 bpm", "slow", "an", "x", "naïve 鐘"])
captions = st.lists(words, min_size=1, max_size=9).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(captions, min_size=1, max_size=30, unique=True), threshold=st.floats(0.5, 0.99))
@example(texts=["drum", "drum drum", "drum loop"], threshold=0.5)  # alike at .5 exactly
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
