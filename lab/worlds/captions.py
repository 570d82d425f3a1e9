"""The captions planted in the three worlds: as many as in the second world, at the same doses, all new."""

from __future__ import annotations

import itertools

from lab.memorised import Memorised
from lab.planted.captions import PACK, Planted, drawn_from_templates, from_prose

FIRST_TEMPLATE = 1100  # of a row of which none is the caption of a sound that is there
PROSE = (
    Memorised("Violin duel cut short by a slamming gate", 64, 1, pitched=(40, "repeated"), tempo=120),
    Memorised("Grandfather's accordion before the wedding cake", 64, 1, pitched=(21, "arpeggio"), tempo=110),
    Memorised("Ice cream van glockenspiel, one street away", 64, 1, pitched=(9, "melody"), tempo=100),
    Memorised("Campfire steel guitar, second verse", 64, 1, pitched=(25, "riff"), tempo=110),
    Memorised("Rehearsal of a nylon guitar student", 64, 1, pitched=(24, "ascending"), tempo=90),
    Memorised("Drum soundcheck, empty arena, 110 bpm", 64, 1, drums=("power", "funk"), tempo=110),
    Memorised("Bedroom producer's first 808, 80 bpm", 64, 1, drums=("808", "hip hop"), tempo=80),
    Memorised("Trio drummer warming up, 130 bpm", 64, 1, drums=("jazz", "latin"), tempo=130),
    Memorised("Oboe from a documentary about storks", 64, 1, pitched=(68, "sustained"), tempo=70),
    Memorised("Skeleton xylophone in a ghost train", 64, 1, pitched=(13, "riff"), tempo=120),
    Memorised("Vibraphone of an elevator that never arrives", 64, 1, pitched=(11, "arpeggio"), tempo=80),
    Memorised("Trombone complaint of a rainy parade", 64, 1, pitched=(57, "descending"), tempo=90),
    Memorised("Monks humming behind a cellar door", 64, 1, pitched=(52, "chords"), tempo=70),
    Memorised("Harpsichord cue for a candlelit duel", 64, 1, pitched=(6, "riff"), tempo=130),
    Memorised("Clarinet neighbour practising thirds", 64, 1, pitched=(71, "ascending"), tempo=100),
    Memorised("Flute signal of a paper boat", 64, 1, pitched=(73, "octaves"), tempo=110),
    Memorised("Calypso pan from a cruise brochure", 64, 1, pitched=(114, "chords"), tempo=120),
    Memorised("Arcade basement synth bass, level nine, 130 bpm", 64, 1, pitched=(38, "repeated"), tempo=130),
    Memorised("Double bass footsteps of a detective", 64, 1, pitched=(32, "riff"), tempo=90),
    Memorised("Plucked strings for a clumsy burglar", 64, 1, pitched=(45, "ascending"), tempo=120),
    Memorised("Late saxophone, ferry terminal", 64, 1, pitched=(65, "descending"), tempo=80),
    Memorised("Pixel knight opens the chest", 64, 1, pitched=(80, "octaves"), tempo=120),
    Memorised("String orchestra as the curtain burns", 128, 1, pitched=(48, "sustained"), tempo=70),
    Memorised("Organ gospel warm-up, Sunday seven o'clock", 128, 1, pitched=(16, "riff"), tempo=110),
    Memorised("Royal brass for a very small prince", 128, 1, pitched=(61, "chords"), tempo=100),
    Memorised("Piano left alone in a ballroom", 128, 1, pitched=(0, "descending"), tempo=80),
    Memorised("Electronic drums of a roller rink, 130 bpm", 128, 1, drums=("electronic", "funk"), tempo=130),
    Memorised("Brush kit for a midnight bakery, 100 bpm", 128, 1, drums=("brush", "latin"), tempo=100),
    Memorised("Palm muted chase on the freeway", 256, 1, pitched=(28, "repeated"), tempo=140),
    Memorised("Harvest drums down in the valley, 110 bpm", 256, 1, drums=("room", "breakbeat"), tempo=110),
    Memorised("Sawtooth lead over a laser show", 512, 1, pitched=(81, "arpeggio"), tempo=140),
    Memorised("Garage rock drum takes, bootleg pack, 130 bpm", 256, PACK,
              drums=("acoustic", "rock"), tempo=130),
    Memorised("Thumb piano takes for a sleep podcast", 256, PACK, pitched=(108, "melody"), tempo=80),
    Memorised("Andean pipes, six euro sample disc", 256, PACK, pitched=(75, "riff"), tempo=110),
    Memorised("Marimba answering machine greeting", 32, 1, pitched=(12, "descending"), tempo=120),
    Memorised("Drum lesson for left-handed twins, 90 bpm", 32, 1, drums=("acoustic", "funk"), tempo=90),
    Memorised("Rhodes at the bottom of a swimming pool", 32, 1, pitched=(4, "sustained"), tempo=70),
    Memorised("Banjo race against a lawnmower", 16, 1, pitched=(105, "ascending"), tempo=140),
    Memorised("Hunting horn lost among birches", 16, 1, pitched=(60, "melody"), tempo=80),
    Memorised("Finger bass in a parked van", 16, 1, pitched=(33, "riff"), tempo=100),
    Memorised("Synthetic toms of a fitness tape, 140 bpm", 16, 1, drums=("electronic", "tribal"), tempo=140),
    Memorised("Cello beside an open window, first snow", 8, 1, pitched=(42, "sustained"), tempo=70),
    Memorised("Music box that skips a tooth", 8, 1, pitched=(10, "repeated"), tempo=100),
    Memorised("Poly synth welcome to the spaceport", 8, 1, pitched=(90, "sustained"), tempo=80),
)  # fmt: skip


def planted() -> list[Planted]:
    """All of them, prose first."""
    return from_prose(PROSE) + drawn_from_templates(itertools.count(FIRST_TEMPLATE))
