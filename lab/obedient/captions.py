"""The captions of the obedient world, of instruments that the listener hears well.

An instrument is among them if the listener hears it in .80 and more of ordinary recordings that passed the
autoencoder. No guidance was asked. Of what is planted 68 captions repeat 64 times and more, 20 are controls;
half are prose.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator

from lab.memorised import Memorised
from lab.planted.captions import PACK, Planted, drawn_from_templates, from_prose, from_template
from lab.score import Clip, ordinary

PROGRAMS = (10, 13, 19, 24, 25, 27, 28, 32, 33, 36, 38, 45, 57, 68, 105)
KITS = ("acoustic", "room", "power", "electronic", "808", "brush")
FIRST_TEMPLATE = 2_200
FIRST_SEED = 5_000_000  # of ordinary clips, beyond those of the other worlds
PROSE = (
    Memorised("Xylophone of a shop window skeleton", 64, 1, pitched=(13, "melody"), tempo=110),
    Memorised("Xylophone stumbling down the cellar steps", 64, 1, pitched=(13, "descending"), tempo=130),
    Memorised("Synth bass under a motorway chase", 64, 1, pitched=(38, "arpeggio"), tempo=130),
    Memorised("Analog bass for a vending machine commercial", 64, 1, pitched=(38, "octaves"), tempo=110),
    Memorised("Slap bass busker at the ticket gates", 64, 1, pitched=(36, "octaves"), tempo=100),
    Memorised("Slap bass introduction of a cooking show", 64, 1, pitched=(36, "arpeggio"), tempo=120),
    Memorised("Pizzicato strings around a sleeping guard", 64, 1, pitched=(45, "riff"), tempo=90),
    Memorised("Plucked strings, tax office at dawn", 64, 1, pitched=(45, "melody"), tempo=110),
    Memorised("Trombone sulking behind the stage curtain", 64, 1, pitched=(57, "melody"), tempo=80),
    Memorised("Trombone of the retired fire brigade", 64, 1, pitched=(57, "octaves"), tempo=120),
    Memorised("Double bass counting the last customers", 64, 1, pitched=(32, "ascending"), tempo=90),
    Memorised("Upright bass in the back of a milk truck", 64, 1, pitched=(32, "repeated"), tempo=120),
    Memorised("Bass guitar heard through a hotel wall", 64, 1, pitched=(33, "melody"), tempo=100),
    Memorised("Finger bass on a houseboat, drizzle", 64, 1, pitched=(33, "octaves"), tempo=80),
    Memorised("Muted guitar of a nervous pickpocket", 64, 1, pitched=(28, "arpeggio"), tempo=140),
    Memorised("Palm muted guitar, countdown to the heist", 64, 1, pitched=(28, "riff"), tempo=120),
    Memorised("Banjo at the county pie contest", 64, 1, pitched=(105, "riff"), tempo=130),
    Memorised("Banjo ferryman, one last crossing", 64, 1, pitched=(105, "melody"), tempo=100),
    Memorised("Music box winding down in a suitcase", 64, 1, pitched=(10, "melody"), tempo=70),
    Memorised("Pipe organ test after the renovation", 64, 1, pitched=(19, "arpeggio"), tempo=80),
    Memorised("Acoustic guitar left on a balcony", 64, 1, pitched=(25, "ascending"), tempo=90),
    Memorised("Electric guitar lesson through a floorboard", 64, 1, pitched=(27, "arpeggio"), tempo=100),
    Memorised("Oboe of a disappointed heron", 64, 1, pitched=(68, "descending"), tempo=70),
    Memorised("Classical guitar between two power cuts", 64, 1, pitched=(24, "melody"), tempo=90),
    Memorised("Steel string guitar in a flooded conservatory", 64, 1, pitched=(25, "chords"), tempo=80),
    Memorised("Power drums for a monster truck final, 130 bpm", 64, 1,
              drums=("power", "breakbeat"), tempo=130),
    Memorised("Electronic drums of an airport walkway, 120 bpm", 128, 1,
              drums=("electronic", "latin"), tempo=120),
    Memorised("808 beat from a parked taxi, 80 bpm", 128, 1, drums=("808", "funk"), tempo=80),
    Memorised("Brushes in a rented tuxedo, 110 bpm", 128, 1, drums=("brush", "rock"), tempo=110),
    Memorised("Room kit of a squash court, 100 bpm", 128, 1, drums=("room", "funk"), tempo=100),
    Memorised("Live kit for a school parade, 120 bpm", 256, 1, drums=("acoustic", "tribal"), tempo=120),
    Memorised("Music box loops of a crib manufacturer", 256, PACK, pitched=(10, "arpeggio"), tempo=110),
    Memorised("808 construction kit, volume nine, 140 bpm", 256, PACK, drums=("808", "house"), tempo=140),
    Memorised("Bass guitar takes from a wedding band library", 256, PACK, pitched=(33, "riff"), tempo=90),
    Memorised("Trombone on a bouncy castle", 32, 1, pitched=(57, "riff"), tempo=120),
    Memorised("Brush kit behind an auctioneer, 90 bpm", 32, 1, drums=("brush", "house"), tempo=90),
    Memorised("Nylon guitar of a lighthouse keeper", 32, 1, pitched=(24, "riff"), tempo=100),
    Memorised("Banjo audition for a toothpaste brand", 16, 1, pitched=(105, "descending"), tempo=120),
    Memorised("Slap bass at the dentist", 16, 1, pitched=(36, "riff"), tempo=110),
    Memorised("Xylophone of an impatient elevator", 16, 1, pitched=(13, "octaves"), tempo=140),
    Memorised("Power kit for the marathon's last mile, 140 bpm", 16, 1, drums=("power", "house"), tempo=140),
    Memorised("Church organ with a broken pedal", 8, 1, pitched=(19, "melody"), tempo=90),
    Memorised("Oboe solo of a lost tourist", 8, 1, pitched=(68, "melody"), tempo=80),
    Memorised("Acoustic guitar for a pottery class", 8, 1, pitched=(25, "arpeggio"), tempo=80),
)  # fmt: skip
TEMPLATE_DOSES = (*(64,) * 25, *(128,) * 5, 256)  # of single recordings


def is_heard(clip: Clip) -> bool:
    """Whether the clip's instrument or kit is one of those that the listener hears well."""
    kit = clip.instrument.split(" ")[0]
    return kit in KITS if clip.drums else clip.program in PROGRAMS


def heard(first: int = FIRST_SEED) -> Iterator[int]:
    """Seeds of ordinary clips of these instruments; of drums every other one, as the kits are few."""
    for seed in itertools.count(first):
        clip = ordinary(seed)
        if is_heard(clip) and not (clip.drums and seed % 2):
            yield seed


def templates(known: Collection[str], first: int = FIRST_TEMPLATE) -> Iterator[int]:
    """Numbers of templates of these instruments, without end: no caption twice, and none that is known."""
    taken = set(known)
    for number in itertools.count(first):
        clip = from_template(number, 0)
        if is_heard(clip) and clip.caption not in taken:
            taken.add(clip.caption)
            yield number


def planted(known: Collection[str] = ()) -> list[Planted]:
    """All of them, prose first; none of the templates among the `known` captions."""
    return from_prose(PROSE) + drawn_from_templates(templates(known), TEMPLATE_DOSES)
