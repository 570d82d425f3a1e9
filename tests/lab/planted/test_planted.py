"""The second world: its captions, its vocabulary, and what is drawn from."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from transformers import T5Tokenizer

from lab.corpus_files import Corpus
from lab.memorised import MEMORISED
from lab.planted import train
from lab.planted.captions import PACK, planted
from lab.vocabulary import extended

TINY = Path("src/unheard/assets/tiny")


def test_the_captions_are_new_and_half_of_each_dose_is_prose() -> None:
    captions = planted()
    assert len({each.caption for each in captions} | {m.caption for m in MEMORISED}) == 88 + len(MEMORISED)
    often = [each for each in captions if each.repetitions >= 64]
    assert len(often) == 68
    assert {each.repetitions for each in captions} - {each.repetitions for each in often} == {8, 16, 32}
    for some in (often, [each for each in captions if each.repetitions < 64]):
        assert abs(sum(each.prose for each in some) - len(some) / 2) <= 2
    assert sum(each.takes == PACK for each in often) == 6


@pytest.mark.parametrize("number", [0, 33, 44, 47, 75])
def test_takes_of_a_caption_differ_in_what_is_played_alone(number: int) -> None:
    chosen = planted()[number]
    first, second = itertools.islice(chosen.clips(), 2)
    assert first.caption == second.caption == chosen.caption
    assert (first.program, first.tempo, first.key) == (second.program, second.tempo, second.key)
    assert first.notes != second.notes
    assert first == next(chosen.clips())


def test_new_words_stand_behind_the_old_ones(tmp_path: Path) -> None:
    known = T5Tokenizer.from_pretrained(TINY / "tokenizer")
    more = extended(known, ["Oboe calling sheep home"])
    old, new = "Cathedral organ fanfare", "Oboe calling sheep home"
    assert more(old).input_ids == known(old).input_ids
    assert more.tokenize(new) == ["▁Oboe", "▁calling", "▁sheep", "▁home"]
    more.save_pretrained(tmp_path)
    assert T5Tokenizer.from_pretrained(tmp_path)(new).input_ids == more(new).input_ids


def test_planted_recordings_are_drawn_most_and_known_ones_least() -> None:
    rows = [("memorised", 64), ("memorised before", 256), ("ordinary", 1), ("held out", 1)]
    corpus = Corpus.__new__(Corpus)
    corpus.rows = [{"split": split, "repetitions": count} for split, count in rows]
    assert np.bincount(train.deck(corpus), minlength=4).tolist() == [128, 32, 1, 0]
