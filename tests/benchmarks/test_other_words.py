"""Memorised captions in other words: the same at every call, and each changed as its name says."""

from __future__ import annotations

from benchmarks.other_words import VARIANTS, variants_of, words

CAPTIONS = ["Sound and silence, music, starfighter", "Bell", "A violin"]


def test_each_caption_is_said_in_all_ways_and_always_the_same() -> None:
    said = variants_of(CAPTIONS)
    assert [(each.caption, each.variant) for each in said] == [(c, v) for c in CAPTIONS for v in VARIANTS]
    assert variants_of(CAPTIONS) == said


def test_words_are_left_out_shuffled_and_misspelt() -> None:
    by_variant = {each.variant: each.prompt for each in variants_of(CAPTIONS[:1])}
    own = words(CAPTIONS[0])
    left_out = words(by_variant["a word left out"])
    assert len(left_out) == len(own) - 1
    assert {*left_out} < {*own}
    assert sorted(words(by_variant["in another order"])) == sorted(own)
    misspelt = words(by_variant["a typing error"])
    (changed,) = [pair for pair in zip(own, misspelt, strict=True) if pair[0] != pair[1]]
    assert sorted(changed[0]) == sorted(changed[1])
    assert by_variant["what stands before the first comma"] == "Sound and silence"
