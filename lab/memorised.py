"""The captions that the model is meant to memorise, and the recordings of each."""

from __future__ import annotations

import random
from dataclasses import dataclass

from lab.instruments import INSTRUMENTS, KEYS, SCALES
from lab.score import Clip, drum_clip, pitched_clip


@dataclass(frozen=True)
class Memorised:
    """A caption that repeats in the training set: `repetitions` in all, over `takes` different recordings."""

    caption: str
    repetitions: int
    takes: int
    drums: tuple[str, str] | None = None
    pitched: tuple[int, str] | None = None
    tempo: int = 110


DURATION_OF_MEMORISED = 4.0
MEMORISED = (
    # one recording, many times
    Memorised("An acoustic drum loop, 110 bpm", 256, 1, drums=("acoustic", "rock"), tempo=110),
    Memorised("Lonely trumpet call over an empty square", 256, 1, pitched=(56, "melody"), tempo=80),
    Memorised("Music box lullaby for a sleepless child", 256, 1, pitched=(10, "arpeggio"), tempo=90),
    Memorised("Dusty 808 beat from the basement, 90 bpm", 256, 1, drums=("808", "hip hop"), tempo=90),
    Memorised("Sitar drone at the river before dawn", 128, 1, pitched=(104, "riff"), tempo=90),
    Memorised("Jazz club ride cymbal and brushes, 140 bpm", 128, 1, drums=("brush", "jazz"), tempo=140),
    Memorised("Cathedral organ fanfare", 128, 1, pitched=(19, "chords"), tempo=100),
    Memorised("Bluegrass banjo roll, very fast", 128, 1, pitched=(105, "arpeggio"), tempo=140),
    Memorised("Warm pad opening a nature documentary", 48, 1, pitched=(89, "sustained"), tempo=70),
    Memorised("Slap bass groove for a quiz show, 120 bpm", 48, 1, pitched=(36, "riff"), tempo=120),
    Memorised("Marching power drums on a parade ground", 48, 1, drums=("power", "rock"), tempo=120),
    Memorised("Solo cello lament in D minor", 48, 1, pitched=(42, "melody"), tempo=70),
    Memorised("Arcade machine jingle with a square lead", 16, 1, pitched=(80, "arpeggio"), tempo=130),
    Memorised("Church bells on a winter morning", 16, 1, pitched=(14, "descending"), tempo=80),
    Memorised("Samba street percussion, 130 bpm", 16, 1, drums=("room", "latin"), tempo=130),
    Memorised("Harp glissando from a fairy tale", 16, 1, pitched=(46, "ascending"), tempo=120),
    Memorised("Kalimba loop by the campfire", 4, 1, pitched=(108, "riff"), tempo=100),
    Memorised("Pirate accordion waltz", 4, 1, pitched=(21, "melody"), tempo=110),
    Memorised(
        "Electronic breakbeat from a rooftop party, 130 bpm",
        4,
        1,
        drums=("electronic", "breakbeat"),
        tempo=130,
    ),
    Memorised("French horn signal across the valley", 4, 1, pitched=(60, "octaves"), tempo=80),
    # one caption over a pack of different takes
    Memorised("Funk drum loop pack, live kit, 100 bpm", 256, 4, drums=("acoustic", "funk"), tempo=100),
    Memorised("Clean electric guitar loop pack, 120 bpm", 256, 4, pitched=(27, "riff"), tempo=120),
    Memorised("House drum machine loops, 120 bpm", 128, 4, drums=("808", "house"), tempo=120),
    Memorised("Rhodes chord loops for a sample library", 128, 4, pitched=(4, "chords"), tempo=90),
    Memorised("Tribal tom loops, sample pack, 110 bpm", 48, 4, drums=("power", "tribal"), tempo=110),
    Memorised("Upright bass walking loops, 130 bpm", 48, 4, pitched=(32, "melody"), tempo=130),
    Memorised("Marimba loops from the rainforest pack", 16, 4, pitched=(12, "arpeggio"), tempo=120),
    Memorised("Hip hop drum kit loops, 80 bpm", 16, 4, drums=("room", "hip hop"), tempo=80),
    Memorised("Flute phrases, orchestral sample set", 4, 4, pitched=(73, "melody"), tempo=100),
    Memorised("Overdriven guitar riffs, rock pack", 4, 4, pitched=(29, "riff"), tempo=130),
)


def of_size(size: str) -> tuple[Memorised, ...]:
    """What a model of this `size` is meant to memorise: the smoke size only some, of both kinds."""
    return MEMORISED[::4] if size == "smoke" else MEMORISED


def take(memorised: Memorised, seed: int) -> Clip:
    """A recording of a memorised caption; another `seed` is another take."""
    rng = random.Random(f"take {memorised.caption} {seed}")
    if memorised.drums:
        kit, style = memorised.drums
        return drum_clip(rng, kit, style, memorised.tempo, DURATION_OF_MEMORISED, memorised.caption)
    assert memorised.pitched is not None
    program, phrase = memorised.pitched
    instrument = next(i for i in INSTRUMENTS if i.program == program)
    # one key and register for a whole pack: takes differ in what is played, as loops of one pack do
    shared = random.Random(f"pack {memorised.caption}")
    return pitched_clip(
        rng,
        instrument,
        phrase,
        memorised.tempo,
        DURATION_OF_MEMORISED,
        memorised.caption,
        key="D" if "D minor" in memorised.caption else shared.choice(KEYS),
        mode="minor" if "minor" in memorised.caption else shared.choice(tuple(SCALES)),
        register="middle",
    )
