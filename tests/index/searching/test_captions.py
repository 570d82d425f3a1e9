"""Captions are looked up by what they say, once an item."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from unheard.index.searching.captions import Captions, WordSound, normalised
from unheard.index.searching.word_sounds import UNALIKE, WordSounds


def shares_of(captions: Captions, caption: str) -> dict[int, float]:
    """By position, what part of a caption's words each that shares any has."""
    positions = captions.sharing(caption)
    return dict(zip(positions, captions.shares([caption], positions)[0].tolist(), strict=True))


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
    shares = shares_of(captions, "Banjo roll, very fast!")
    # by hand: log(6 / (n + 1)) of banjo (1 item), roll (2), very and fast (0)
    whole = math.log(6 / 2) + math.log(6 / 3) + 2 * math.log(6)
    assert shares == {
        0: pytest.approx((math.log(3) + math.log(2)) / whole),
        1: pytest.approx(math.log(2) / whole),
    }
    assert shares_of(captions, "A banjo roll")[0] == pytest.approx(1.0)
    assert captions.sharing("") == [] == captions.sharing("?!")
    assert Captions([], []).sharing("a") == []
    assert Captions("a", ["same"]).sharing("same") == [], "what all captions say tells them not apart"


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
    sound = WordSounds(lambda positions: vectors[positions], len(texts))
    captions = Captions("abcdefgh", texts, sound)
    shares = shares_of(captions, "Flute on a sea")
    assert shares[2] > 5 * shares[1]
    assert shares[0] == pytest.approx(shares[1] + shares[2])
    centre = vectors.mean(dim=0)
    towards = F.normalize(vectors[[0, 2]] - centre, dim=1)
    said = sound([0, 2])
    assert said.consistency == pytest.approx(float(towards[0] @ towards[1]) / (1 + UNALIKE))
    assert said.direction == pytest.approx(towards.mean(dim=0).numpy(), abs=1e-6)
    assert [sound(few).consistency for few in ([], [3])] == pytest.approx([0.0, 0.0])


def test_the_words_of_a_caption_say_which_way_its_sound_lies() -> None:
    """A caption without any word of another is near it if its words are said of sounds like that one's."""
    texts = ["Violin tune", "Fiddle tune", "Violin air", "Fiddle air", "Drum tune", "Drum air"]
    vectors = F.normalize(torch.tensor([[1, 0.1], [1, 0.2], [1, 0], [1, 0.1], [0, 1], [0.1, 1]]))
    captions = Captions("abcdef", texts, WordSounds(lambda positions: vectors[positions], len(texts)))
    violin, fiddle, drum, none, empty = captions.sounds(["Violin!", "a fiddle", "drum", "harp", ""])
    assert violin @ fiddle > 0.9 > -0.9 > violin @ drum
    assert np.linalg.norm([violin, fiddle, drum], axis=1) == pytest.approx(1.0)
    assert not none.any()
    assert not empty.any()


@given(st.lists(st.text(alphabet="abc ", max_size=9), max_size=8), st.text(alphabet="abcd ", max_size=9))
def test_shares_are_shares_and_the_order_of_asking_is_no_matter(texts: list[str], caption: str) -> None:
    ids = list(range(len(texts)))
    captions, asked_before = Captions(ids, texts), Captions(ids, texts)
    for text in texts:
        asked_before.sharing(text)
    shares = shares_of(captions, caption)
    assert shares == pytest.approx(shares_of(asked_before, caption))
    assert all(0 <= share <= 1 + 1e-9 for share in shares.values())
    words = set(normalised(caption).split())
    assert all(words & set(captions.texts[position].split()) for position in shares)


@given(
    st.lists(st.text(alphabet="abc ", max_size=9), max_size=12),
    st.text(alphabet="abcd ", max_size=9),
    st.integers(1, 6),
)
def test_those_that_share_the_most_are_the_largest_shares(texts: list[str], caption: str, count: int) -> None:
    captions = Captions(range(len(texts)), texts)
    (shares,) = captions.shares([caption], range(len(texts)))
    expected = sorted(np.flatnonzero(shares), key=lambda position: (-round(shares[position], 9), position))
    assert captions.sharing(caption, count) == captions.sharing(caption)[:count]
    assert [round(shares[each], 9) for each in captions.sharing(caption)] == [
        round(shares[each], 9) for each in expected
    ]
    assert {*captions.sharing(caption)} == {*expected}


def test_what_takes_of_one_caption_have_in_common_says_nothing_of_its_words() -> None:
    texts = ["Flute phrases", "Flute phrases", "Harp phrases", "Flute one", "Flute two", "Harp one"]
    asked: list[list[int]] = []

    def sound(positions: Sequence[int]) -> WordSound:
        asked.append([*positions])
        return WordSound(1.0, np.zeros(2))

    Captions("abcdef", texts, sound).sharing("flute phrases")
    assert sorted(asked) == [[2], [3, 4]]


def test_what_a_caption_shares_with_some_is_what_it_shares_with_all() -> None:
    texts = ["Flute by the sea", "Flute by night", "Flute by night", "Flute at sea", "Harp", ""]
    captions = Captions("abcdef", texts)
    assert captions.single.tolist() == [0, 3, 4]
    asked = ["flute by the sea", "Harp!"]
    shares = captions.shares(asked, [5, 3, 0])
    again = [[shares_of(captions, caption).get(position, 0.0) for position in (5, 3, 0)] for caption in asked]
    assert shares == pytest.approx(np.array(again))
    assert shares[0] == pytest.approx([0.0, shares[0, 1], 1.0])
    assert 0 < shares[0, 1] < 1
