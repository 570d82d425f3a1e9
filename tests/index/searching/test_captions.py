"""Captions are looked up by what they say, once an item."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from unheard.index.searching.captions import Captions, normalised
from unheard.index.searching.word_consistency import WordConsistency


def test_positions_are_the_first_of_each_item() -> None:
    captions = Captions(["a", "a", "b", "c", "d"], ["A bell!", "A bell!", "a  BELL", "", "Rain"])
    assert captions.positions("a bell") == [0, 2]
    assert captions.positions("rain") == [4]
    assert captions.positions("snow") == []
    assert captions.texts == ["a bell", "a bell", "a bell", "", "rain"]


def test_a_caption_is_alone_if_it_says_something_that_no_other_item_says() -> None:
    captions = Captions(["a", "a", "b", "b", "c"], ["A bell", "A bell", "Rain", "rain", " "])
    assert [captions.alone(position) for position in range(5)] == [True, True, True, True, False]
    assert not Captions(["a", "b"], ["Rain", "rain!"]).alone(0)


def test_words_count_by_their_rarity() -> None:
    texts = ["A banjo roll", "a piano roll", "A piano tune", "A piano, a slow one", "Wind"]
    captions = Captions("abcde", texts)
    shares = captions.sharing("Banjo roll, very fast!")
    # by hand: log(6 / (n + 1)) of banjo (1 item), roll (2), very and fast (0)
    whole = math.log(6 / 2) + math.log(6 / 3) + 2 * math.log(6)
    assert shares == {
        0: pytest.approx((math.log(3) + math.log(2)) / whole),
        1: pytest.approx(math.log(2) / whole),
    }
    assert captions.sharing("A banjo roll")[0] == pytest.approx(1.0)
    assert captions.sharing("") == {} == captions.sharing("?!")
    assert Captions([], []).sharing("a") == {}
    assert Captions("a", ["same"]).sharing("same") == {}, "what all captions say tells them not apart"


def test_words_count_by_what_they_say_of_the_sound() -> None:
    """Flutes lie close together, what is heard by the sea anywhere."""
    texts = [
        "Flute by the sea",
        "Harp by the sea",
        "Flute tune",
        "Harp tune",
        "Flute air",
        "Rain",
        "Wind",
        "",
    ]
    vectors = F.normalize(
        torch.tensor([[1, 0.1], [0, 1], [1, 0], [0.1, 1], [1, 0], [-1, 0], [0, -1], [-1, -1]])
    )
    consistency = WordConsistency(lambda positions: vectors[positions], len(texts))
    captions = Captions("abcdefgh", texts, consistency)
    shares = captions.sharing("Flute on a sea")
    assert shares[2] > 5 * shares[1]
    assert shares[0] == pytest.approx(shares[1] + shares[2])
    centre = vectors.mean(dim=0)
    towards = F.normalize(vectors[[0, 2]] - centre, dim=1)
    assert consistency([0, 2]) == pytest.approx(float(towards[0] @ towards[1]))
    assert consistency([]) == consistency([3]) == 0.0


@given(st.lists(st.text(alphabet="abc ", max_size=9), max_size=8), st.text(alphabet="abcd ", max_size=9))
def test_shares_are_shares_and_the_order_of_asking_is_no_matter(texts: list[str], caption: str) -> None:
    ids = list(range(len(texts)))
    captions, asked_before = Captions(ids, texts), Captions(ids, texts)
    for text in texts:
        asked_before.sharing(text)
    shares = captions.sharing(caption)
    assert shares == pytest.approx(asked_before.sharing(caption))
    assert all(0 <= share <= 1 + 1e-9 for share in shares.values())
    words = set(normalised(caption).split())
    assert all(words & set(captions.texts[position].split()) for position in shares)


def test_what_takes_of_one_caption_have_in_common_says_nothing_of_its_words() -> None:
    texts = ["Flute phrases", "Flute phrases", "Harp phrases", "Flute one", "Flute two", "Harp one"]
    asked: list[list[int]] = []

    def consistency(positions: Sequence[int]) -> float:
        asked.append([*positions])
        return 1.0

    Captions("abcdef", texts, consistency).sharing("flute phrases")
    assert sorted(asked) == [[2], [3, 4]]


def test_the_closest_is_another_caption_that_one_item_alone_has() -> None:
    texts = ["Flute by the sea", "Flute by night", "Flute by night", "Flute at sea", "Harp", ""]
    captions = Captions("abcdef", texts)
    assert captions.single.tolist() == [0, 3, 4]
    found = captions.closest("flute by the sea")
    assert found == (3, pytest.approx(captions.sharing("Flute by the sea")[3]))
    assert captions.closest("a flute by the sea")[0] == 0  # type: ignore[index]
    assert Captions("a", ["Harp"]).closest("harp") is None
