"""The obedient world: what is planted, and what is drawn from."""

from __future__ import annotations

import itertools

import numpy as np

from lab.corpus_files import Corpus
from lab.memorised import MEMORISED
from lab.obedient import train
from lab.obedient.captions import heard, is_heard, planted
from lab.planted.captions import planted as planted_second
from lab.score import ordinary
from lab.worlds.captions import planted as planted_third


def test_what_is_planted_is_new_and_played_by_what_is_heard() -> None:
    before = {each.caption for each in (*planted_second(), *planted_third(), *MEMORISED)}
    ours = planted()
    assert len({each.caption for each in ours} - before) == 88
    assert sum(each.repetitions >= 64 for each in ours) == 68
    assert sum(each.prose for each in ours) == 44
    assert all(is_heard(next(each.clips())) for each in ours)


def test_a_caption_that_is_known_is_not_planted() -> None:
    known = planted()[50].caption
    assert known not in {each.caption for each in planted({known})}
    assert len(planted({known})) == 88


def test_ordinary_sounds_are_of_the_same_instruments() -> None:
    clips = [ordinary(seed) for seed in itertools.islice(heard(), 200)]
    assert all(map(is_heard, clips))
    assert 0.2 < sum(clip.drums for clip in clips) / len(clips) < 0.4


def test_new_ordinary_sounds_are_drawn_more_often_than_those_before() -> None:
    rows = [("memorised before", 256), ("ordinary", 1), ("memorised", 64), ("ordinary", 1), ("held out", 1)]
    corpus = Corpus.__new__(Corpus)
    corpus.rows = [{"split": split, "repetitions": count} for split, count in rows]
    assert np.bincount(train.deck(corpus), minlength=5).tolist() == [32, 1, 64, 2, 0]
