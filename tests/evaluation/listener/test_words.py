"""What captions say of instrument, family, tempo and key."""

from __future__ import annotations

import pytest

from unheard.evaluation.listener import Instrument, Said, Vocabulary

VOCABULARY = Vocabulary(
    [
        Instrument("grand piano", "keys", ("grand piano", "piano"), 0),
        Instrument("electric piano", "keys", ("electric piano", "rhodes"), 7),
        Instrument("bass guitar", "bass", ("bass guitar",), 9),
        Instrument("violin", "strings", ("violin", "fiddle"), 4),
        Instrument("808 kit", "drums", ("808", "drum machine"), 0),
        Instrument("jazz kit", "drums", ("jazz drum",), 0),
    ],
    {"keys": ["organ"], "drums": ["drum", "beat"], "guitar": ["guitar"], "bass": ["bass"]},
)


@pytest.mark.parametrize(
    ("caption", "instrument", "family"),
    [
        ("A soft grand piano melody", "grand piano", "keys"),
        ("Piano and rain", "grand piano", "keys"),
        ("ELECTRIC PIANO chords", "electric piano", "keys"),
        ("Two violins at dawn", "violin", "strings"),
        ("A bass guitar riff", "bass guitar", "bass"),  # no guitar
        ("Church organ fanfare", None, "keys"),
        ("Rhodes chords, organ swell", "electric piano", "keys"),
        ("A piano and a rhodes", None, "keys"),
        ("Piano over drums", None, None),
        ("Drum loop on a drum machine", "808 kit", "drums"),
        ("Jazz drum machine loop", "808 kit", "drums"),  # no jazz drum
        ("House pattern, 120 beats per minute", None, None),  # a beat that is no drum
        ("Rain on a pianola roof, a beaten path", None, None),  # no whole words
        ("", None, None),
    ],
)
def test_names_are_found_by_their_words(caption: str, instrument: str | None, family: str | None) -> None:
    said = VOCABULARY.said(caption)
    assert (said.instrument, said.family) == (instrument, family)


@pytest.mark.parametrize(
    ("caption", "tempo"),
    [
        ("Piano, 120 bpm", 120.0),
        ("Piano at 96BPM", 96.0),
        ("Piano, 70 beats per minute", 70.0),
        ("Piano, 100 bpm or 120 bpm", None),
        ("An 808 beat", None),
    ],
)
def test_a_tempo_is_a_number_of_beats_a_minute(caption: str, tempo: float | None) -> None:
    assert VOCABULARY.said(caption).tempo == tempo


@pytest.mark.parametrize(
    ("caption", "key"),
    [
        ("Piano in D minor", "D minor"),
        ("Piano in Bb major", "A# major"),
        ("Piano in F sharp minor", "F# minor"),
        ("Piano in C♭ major", "B major"),
        ("Electric piano in C major", "G major"),  # a written C sounds as G
        ("Violin in A minor", "C# minor"),
        ("Something in A minor", None),  # on which of the instruments?
        ("Piano, from A minor to C major", None),
        ("A minor mishap on the piano", "A minor"),
        ("Piano in B", None),
    ],
)
def test_a_key_is_told_as_it_sounds(caption: str, key: str | None) -> None:
    assert VOCABULARY.said(caption).key == key


def test_a_key_needs_no_instrument_where_none_transposes() -> None:
    plain = Vocabulary([Instrument("piano", "keys", ("piano",), 0)], {})
    assert plain.said("Something in E minor") == Said(None, None, None, "E minor")
