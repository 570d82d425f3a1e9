"""What the listener reads from captions is what the generator wrote, and what is true of the sounds."""

from __future__ import annotations

import random

import pytest

from lab import score, truth
from lab.memorised import MEMORISED, take
from lab.prose import MOODS, PLACES, in_no_place, prose
from lab.train_listener import vocabulary
from unheard.evaluation.listener.network import KEYS, TONICS

VOCABULARY = vocabulary()
WITHOUT_A_KIT = {  # memorised captions that name drums, and none of the seven kits
    "Samba street percussion, 130 bpm",
    "Electronic breakbeat from a rooftop party, 130 bpm",
    "Hip hop drum kit loops, 80 bpm",
    "Tribal tom loops, sample pack, 110 bpm",
}


def row(clip: score.Clip) -> dict:
    return {**vars(clip), "notes": [(note.onset, note.release, note.key) for note in clip.notes]}


def test_captions_of_the_corpus_are_understood() -> None:
    for seed in range(1_500):
        clip = score.ordinary(seed)
        said = VOCABULARY.said(clip.caption)
        assert said.instrument == truth.NAMES[truth.instrument(row(clip))], clip.caption
        assert said.family == clip.family
        assert said.tempo in (None, clip.tempo)
        sounding = truth.sounding_key(row(clip))
        if said.key is not None:
            assert sounding is not None
            assert said.key == f"{TONICS[sounding[0]]} {sounding[1]}"


def test_memorised_captions_are_understood() -> None:
    for memorised in MEMORISED:
        clip = take(memorised, 0)
        said = VOCABULARY.said(memorised.caption)
        assert said.family == clip.family, memorised.caption
        named = None if memorised.caption in WITHOUT_A_KIT else truth.NAMES[truth.instrument(row(clip))]
        assert said.instrument == named, memorised.caption


def test_prose_names_what_is_played_and_is_no_memorised_caption() -> None:
    memorised = {entry.caption.lower() for entry in MEMORISED}
    for seed in range(1_500):
        clip = score.ordinary(seed)
        written = prose(clip, random.Random(seed))
        assert VOCABULARY.said(written).family in (clip.family, None), written
        assert written.lower() not in memorised


def test_moods_and_places_of_prose_are_not_those_of_memorised_captions() -> None:
    memorised = " ".join(entry.caption.lower() for entry in MEMORISED)
    assert not [place for place in PLACES if place in memorised]
    assert not [mood for mood in MOODS if f"{mood} " in memorised]


def test_made_up_places_name_nothing() -> None:
    for seed in range(300):
        said = VOCABULARY.said(in_no_place(random.Random(seed)))
        assert (said.instrument, said.family, said.tempo, said.key) == (None,) * 4


# --- what is true of an excerpt -----------------------------------------------------------------------------


def test_the_sounding_key_has_the_notes_that_are_played() -> None:
    steps = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
    for seed in range(1_000):
        of = row(score.ordinary(seed))
        key = truth.sounding_key(of)
        if key is not None:
            scale = {(key[0] + step) % 12 for step in steps[key[1]]}
            assert truth.pitch_classes(of, 0.0, of["duration"]) <= scale


def test_a_beat_and_a_key_take_enough_notes() -> None:
    notes = [(0.5 * n, 0.5 * n + 0.4, key) for n, key in enumerate((60, 62, 64, 65, 67, 69, 71))]
    of = {"drums": False, "notes": notes}
    assert truth.has_beat(of, 0.0, 3.5)
    assert not truth.has_beat(of, 0.0, 2.0)
    assert truth.pitch_classes(of, 0.4, 1.1) == {2, 4}  # the first has ended, the third has begun
    assert truth.has_key(truth.pitch_classes(of, 0.0, 3.5))
    assert not truth.has_key(truth.pitch_classes(of, 0.0, 2.0))  # C D E F: also in F major
    assert truth.pitch_classes({**of, "drums": True}, 0.0, 3.5) == frozenset()


@pytest.mark.parametrize(("key", "other"), [("C major", "A minor"), ("E minor", "G major")])
def test_relative_keys_have_the_same_scale(key: str, other: str) -> None:
    from lab.train_listener import relative

    assert KEYS[relative(KEYS.index(key))] == other
    assert KEYS[relative(KEYS.index(other))] == key
