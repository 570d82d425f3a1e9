"""Captions are looked up by what they say, once an item."""

from __future__ import annotations

from unheard.index.searching.captions import Captions


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
