"""The captions of the fresh world, of the same instruments as those of the obedient one.

64 repeat 128 times, or 512 times over a pack, which is enough to learn them by heart; 20 repeat 8 or 16
times.
Half are prose.
"""

from __future__ import annotations

from collections.abc import Collection

from lab.memorised import Memorised
from lab.obedient.captions import templates
from lab.planted.captions import PACK, Planted, from_prose, of_templates

FIRST_TEMPLATE = 3_200
DOSE, PACK_DOSE = 128, 512


def pitched(caption: str, program: int, phrase: str, tempo: int, dose: int = DOSE) -> Memorised:
    """A tune of an instrument, over a pack at `PACK_DOSE`."""
    return Memorised(caption, dose, PACK if dose == PACK_DOSE else 1, pitched=(program, phrase), tempo=tempo)


def drums(caption: str, kit: str, style: str, tempo: int, dose: int = DOSE) -> Memorised:
    """A rhythm of a kit, over a pack at `PACK_DOSE`."""
    return Memorised(caption, dose, PACK if dose == PACK_DOSE else 1, drums=(kit, style), tempo=tempo)


PROSE = (
    pitched("Xylophone race of two wind-up mice", 13, "arpeggio", 140),
    pitched("Xylophone in a dentist's waiting room", 13, "riff", 100),
    pitched("Music box under the floorboards", 10, "melody", 80),
    pitched("Music box of a homesick sailor", 10, "arpeggio", 90),
    pitched("Pipe organ warming its bellows", 19, "ascending", 90),
    pitched("Church organ at a locksmith's wedding", 19, "melody", 100),
    pitched("Classical guitar on the night ferry", 24, "arpeggio", 100),
    pitched("Nylon guitar, two streets from the harbour", 24, "descending", 110),
    pitched("Acoustic guitar drying by the stove", 25, "riff", 110),
    pitched("Steel string guitar for a slow goodbye", 25, "melody", 70),
    pitched("Clean electric guitar in the underpass", 27, "riff", 110),
    pitched("Clean electric guitar, encore for nobody", 27, "melody", 90),
    pitched("Muted guitar ticking like a taxi meter", 28, "repeated", 120),
    pitched("Palm muted guitar behind the weather map", 28, "octaves", 130),
    pitched("Upright bass on the last tram", 32, "riff", 110),
    pitched("Double bass asleep in the corridor", 32, "descending", 80),
    pitched("Bass guitar below the roller rink", 33, "arpeggio", 120),
    pitched("Finger bass for a lazy lion", 33, "descending", 90),
    pitched("Slap bass on the moving staircase", 36, "ascending", 130),
    pitched("Slap bass, jingle of a sneaker outlet", 36, "melody", 110),
    pitched("Synth bass of the night watchman's console", 38, "melody", 120),
    pitched("Analog bass, door to the reactor", 38, "repeated", 100),
    pitched("Pizzicato strings and a stolen biscuit", 45, "ascending", 120),
    pitched("Plucked strings for a nervous butler", 45, "arpeggio", 140),
    pitched("Trombone falling off the float", 57, "descending", 100),
    pitched("Trombone practice at the fire station", 57, "arpeggio", 90),
    pitched("Oboe over the frozen canal", 68, "riff", 90),
    pitched("Banjo of the midnight cheesemaker", 105, "octaves", 120),
    drums("Acoustic drums at a barn auction, 110 bpm", "acoustic", "breakbeat", 110),
    drums("808 beat for a parking garage film, 100 bpm", "808", "latin", 100),
    pitched("Banjo clips from a tourist board library", 105, "arpeggio", 110, PACK_DOSE),
    drums("Electronic drum loops, arcade supplier, 120 bpm", "electronic", "rock", 120, PACK_DOSE),
    pitched("Xylophone for a lost umbrella", 13, "repeated", 120, 16),
    pitched("Acoustic guitar of the tax adviser", 25, "octaves", 120, 16),
    pitched("Trombone at the swimming lesson", 57, "octaves", 80, 16),
    pitched("Finger bass in the copy shop", 33, "ascending", 110, 16),
    drums("Power drums for a chess tournament, 120 bpm", "power", "funk", 120, 16),
    pitched("Music box on the assembly line", 10, "riff", 110, 8),
    pitched("Nylon guitar of a patient beekeeper", 24, "repeated", 90, 8),
    pitched("Plucked strings in a lift to the roof", 45, "descending", 100, 8),
    pitched("Synth bass of an unpaid invoice", 38, "descending", 130, 8),
    drums("Brush kit at the tailor's, 100 bpm", "brush", "jazz", 100, 8),
)
TEMPLATE_DOSES = ((DOSE, 1),) * 30 + ((PACK_DOSE, PACK),) * 2 + ((16, 1),) * 5 + ((8, 1),) * 5


def planted(known: Collection[str] = ()) -> list[Planted]:
    """All of them, prose first; none of the templates among the `known` captions."""
    return from_prose(PROSE) + of_templates(templates(known, FIRST_TEMPLATE), TEMPLATE_DOSES)
