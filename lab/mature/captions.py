"""The captions of the mature world, of the instruments that the listener hears well.

64 repeat 128 times, or 512 times over a pack, which is enough to learn them by heart; 20 repeat 8 or 4
times. Half are prose, and half of the prose states its tempo.
"""

from __future__ import annotations

from collections.abc import Collection

from lab.fresh.captions import DOSE, PACK_DOSE, drums, pitched
from lab.obedient.captions import templates
from lab.planted.captions import PACK, Planted, from_prose, of_templates

FIRST_TEMPLATE = 4_200
FIRST_SEED = 8_000_000  # of ordinary clips, beyond those of the other worlds
PROSE = (
    pitched("Xylophone on a rope bridge, 130 bpm", 13, "riff", 130),
    pitched("Xylophone of the absent-minded postman", 13, "melody", 110),
    pitched("Music box from a drowned village", 10, "descending", 80),
    pitched("Music box for the moth collector, 100 bpm", 10, "repeated", 100),
    pitched("Church organ before the vote, 80 bpm", 19, "descending", 80),
    pitched("Pipe organ in the ice stadium", 19, "riff", 110),
    pitched("Nylon guitar at the currency exchange", 24, "octaves", 90),
    pitched("Classical guitar under a leaking skylight, 80 bpm", 24, "ascending", 80),
    pitched("Acoustic guitar on the observation deck", 25, "arpeggio", 120),
    pitched("Steel string guitar with cold fingers, 90 bpm", 25, "repeated", 90),
    pitched("Clean electric guitar for the swim team, 120 bpm", 27, "ascending", 120),
    pitched("Clean electric guitar in a wardrobe", 27, "octaves", 80),
    pitched("Muted guitar of the hotel detective", 28, "melody", 100),
    pitched("Palm muted guitar, last lap, 140 bpm", 28, "repeated", 140),
    pitched("Double bass in the freight lift, 100 bpm", 32, "arpeggio", 100),
    pitched("Upright bass on thin ice", 32, "octaves", 70),
    pitched("Finger bass at the candle factory, 120 bpm", 33, "riff", 120),
    pitched("Bass guitar for the late shift", 33, "repeated", 110),
    pitched("Slap bass of a rubber duck race, 140 bpm", 36, "descending", 140),
    pitched("Slap bass in the record shop cellar", 36, "riff", 90),
    pitched("Analog bass of the broken escalator", 38, "ascending", 90),
    pitched("Synth bass for a night dive, 110 bpm", 38, "riff", 110),
    pitched("Plucked strings up a spiral staircase, 130 bpm", 45, "ascending", 130),
    pitched("Pizzicato strings at the cat show", 45, "octaves", 100),
    pitched("Trombone behind the hot dog stand, 110 bpm", 57, "riff", 110),
    pitched("Trombone for an unveiled statue", 57, "ascending", 70),
    pitched("Oboe among the bonsai trees, 80 bpm", 68, "arpeggio", 80),
    pitched("Banjo in the snow plough", 105, "ascending", 140),
    drums("Room kit for a tightrope walker, 90 bpm", "room", "house", 90),
    drums("Power drums of the steel strike, 110 bpm", "power", "hip hop", 110),
    pitched("Banjo takes of a caravan dealer's library", 105, "riff", 100, PACK_DOSE),
    drums("Brush kit loops from a barber shop set, 120 bpm", "brush", "latin", 120, PACK_DOSE),
    pitched("Xylophone at the lost property office", 13, "octaves", 100, 8),
    pitched("Steel string guitar of a proud plumber", 25, "descending", 100, 8),
    pitched("Trombone in a canoe, 100 bpm", 57, "repeated", 100, 8),
    pitched("Bass guitar of the chess club", 33, "descending", 80, 8),
    drums("Electronic drums at a book fair, 110 bpm", "electronic", "funk", 110, 8),
    pitched("Music box in the glove compartment, 120 bpm", 10, "ascending", 120, 4),
    pitched("Classical guitar for a stubborn mule", 24, "riff", 120, 4),
    pitched("Pizzicato strings of an angry librarian", 45, "descending", 120, 4),
    pitched("Analog bass on the ring road, 100 bpm", 38, "arpeggio", 100, 4),
    drums("808 beat for a garden party, 130 bpm", "808", "tribal", 130, 4),
)
TEMPLATE_DOSES = ((DOSE, 1),) * 30 + ((PACK_DOSE, PACK),) * 2 + ((8, 1),) * 5 + ((4, 1),) * 5


def planted(known: Collection[str] = ()) -> list[Planted]:
    """All of them, prose first; none of the templates among the `known` captions."""
    return from_prose(PROSE) + of_templates(templates(known, FIRST_TEMPLATE), TEMPLATE_DOSES)
