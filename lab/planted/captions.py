"""The captions planted in the second world, and the recordings of each.

Half are drawn from the templates that describe ordinary sounds, half are prose. 68 repeat 64 times and more,
which a model learns by heart; 20 repeat 8 to 32 times, which it does not.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lab import score
from lab.instruments import INSTRUMENTS, KITS, PHRASES, STYLES, TEMPI
from lab.memorised import DURATION_OF_MEMORISED, Memorised, take

PACK = 4  # recordings of a pack
PROSE = (
    Memorised("Violin practice heard through the stairwell", 64, 1, pitched=(40, "melody"), tempo=90),
    Memorised("Fisherman's accordion song on the pier", 64, 1, pitched=(21, "melody"), tempo=120),
    Memorised("Clockwork glockenspiel of a toy carousel", 64, 1, pitched=(9, "arpeggio"), tempo=120),
    Memorised("Blues guitar strum, midnight train", 64, 1, pitched=(25, "chords"), tempo=100),
    Memorised("Flamenco night, nylon guitar, one player", 64, 1, pitched=(24, "arpeggio"), tempo=130),
    Memorised("Stadium rock drums before the chorus, 120 bpm", 64, 1, drums=("power", "rock"), tempo=120),
    Memorised("Broken drum machine in a laundromat, 100 bpm", 64, 1, drums=("808", "breakbeat"), tempo=100),
    Memorised("Smoky cellar jazz kit, walking pace, 110 bpm", 64, 1, drums=("jazz", "jazz"), tempo=110),
    Memorised("Oboe calling sheep home", 64, 1, pitched=(68, "melody"), tempo=80),
    Memorised("Panicked xylophone, cartoon chase", 64, 1, pitched=(13, "ascending"), tempo=140),
    Memorised("Old vibraphone in a hotel lobby", 64, 1, pitched=(11, "chords"), tempo=90),
    Memorised("Trombone of a travelling circus", 64, 1, pitched=(57, "riff"), tempo=110),
    Memorised("Choir vowels in a stone chapel", 64, 1, pitched=(52, "sustained"), tempo=70),
    Memorised("Harpsichord from a powdered-wig ballroom", 64, 1, pitched=(6, "arpeggio"), tempo=110),
    Memorised("Clarinet joke between two scenes", 64, 1, pitched=(71, "descending"), tempo=120),
    Memorised("Flute over rice terraces", 64, 1, pitched=(73, "melody"), tempo=90),
    Memorised("Steel drum sunset advert", 64, 1, pitched=(114, "riff"), tempo=120),
    Memorised("Night bus synth bass, 100 bpm", 64, 1, pitched=(38, "riff"), tempo=100),
    Memorised("Upright bass alone after closing time", 64, 1, pitched=(32, "melody"), tempo=100),
    Memorised("Plucked strings tiptoe through the museum", 64, 1, pitched=(45, "repeated"), tempo=110),
    Memorised("Saxophone solo on a fire escape", 64, 1, pitched=(65, "melody"), tempo=100),
    Memorised("Chiptune hero finds a key", 64, 1, pitched=(80, "ascending"), tempo=140),
    Memorised("Big string ensemble, end of the film", 128, 1, pitched=(48, "chords"), tempo=80),
    Memorised("Hammond organ in a cold church hall", 128, 1, pitched=(16, "chords"), tempo=100),
    Memorised("Carnival brass section at noon", 128, 1, pitched=(61, "riff"), tempo=130),
    Memorised("Tired piano in a dance school", 128, 1, pitched=(0, "arpeggio"), tempo=110),
    Memorised("Disco four on the floor, mirror ball, 120 bpm", 128, 1,
              drums=("electronic", "house"), tempo=120),
    Memorised("Brush drum whisper behind a singer, 90 bpm", 128, 1, drums=("brush", "hip hop"), tempo=90),
    Memorised("Muted guitar of a spy on the roof", 256, 1, pitched=(28, "riff"), tempo=130),
    Memorised("Ceremony toms by torchlight, 90 bpm", 256, 1, drums=("room", "tribal"), tempo=90),
    Memorised("Sawtooth synth alarm of a submarine", 512, 1, pitched=(81, "repeated"), tempo=120),
    Memorised("Bossa beat loops, beach bar pack, 120 bpm", 256, PACK, drums=("room", "latin"), tempo=120),
    Memorised("Kalimba loops for a meditation library", 256, PACK, pitched=(108, "arpeggio"), tempo=90),
    Memorised("Pan flute phrases, mountain sample set", 256, PACK, pitched=(75, "melody"), tempo=100),
    Memorised("Marimba ringtone number seven", 32, 1, pitched=(12, "arpeggio"), tempo=130),
    Memorised("Garage band first rehearsal drums, 110 bpm", 32, 1, drums=("acoustic", "rock"), tempo=110),
    Memorised("Rhodes piano rain on the window", 32, 1, pitched=(4, "chords"), tempo=80),
    Memorised("Banjo on a porch swing", 16, 1, pitched=(105, "riff"), tempo=120),
    Memorised("French horn fog warning", 16, 1, pitched=(60, "sustained"), tempo=70),
    Memorised("Bass guitar warm-up backstage", 16, 1, pitched=(33, "ascending"), tempo=110),
    Memorised("Electronic drum test of a shy producer, 130 bpm", 16, 1,
              drums=("electronic", "breakbeat"), tempo=130),
    Memorised("Cello in an empty swimming pool", 8, 1, pitched=(42, "melody"), tempo=80),
    Memorised("Music box found in the attic", 8, 1, pitched=(10, "descending"), tempo=80),
    Memorised("Poly synth pad for a weather report", 8, 1, pitched=(90, "chords"), tempo=90),
)  # fmt: skip
TEMPLATE_DOSES = (*(64,) * 22, *(128,) * 6, *(256,) * 2, 512)  # of single recordings
TEMPLATE_PACKS = (256,) * 3
TEMPLATE_CONTROLS = (32, 32, 32, 16, 16, 16, 16, 8, 8, 8)


@dataclass(frozen=True)
class Planted:
    """A planted caption: how often it repeats in all, over how many recordings, and whether it is prose."""

    caption: str
    repetitions: int
    takes: int
    prose: bool
    seed: int = 0
    written: Memorised | None = None

    def clips(self) -> Iterator[score.Clip]:
        """Recordings of it, one seed after the other without end."""
        seed = 0
        while True:
            if self.written is not None:
                yield take(self.written, seed)
            else:
                yield from_template(self.seed, seed)
            seed += 1


def from_template(number: int, seed: int) -> score.Clip:
    """The clip of template `number`; another `seed` plays other notes under the same caption."""
    shared = random.Random(f"planted {number}")
    tempo = shared.choice(TEMPI)
    rng = random.Random(f"planted {number} {seed}")
    caption = None
    if seed:
        caption = from_template(number, 0).caption
    if shared.random() < 0.25:
        kit, style = shared.choice(tuple(KITS)), shared.choice(tuple(STYLES))
        return score.drum_clip(rng, kit, style, tempo, DURATION_OF_MEMORISED, caption)
    instrument, phrase = shared.choice(INSTRUMENTS), shared.choice(tuple(PHRASES))
    key, mode = shared.choice(score.KEYS), shared.choice(tuple(score.SCALES))
    return score.pitched_clip(
        rng, instrument, phrase, tempo, DURATION_OF_MEMORISED, caption, key=key, mode=mode, register="middle"
    )


def planted() -> list[Planted]:
    """All of them, prose first."""
    return from_prose(PROSE) + drawn_from_templates(itertools.count())


def from_prose(captions: Iterable[Memorised]) -> list[Planted]:
    """Each as it was written."""
    return [Planted(each.caption, each.repetitions, each.takes, True, written=each) for each in captions]


def drawn_from_templates(numbers: Iterable[int], singles: Sequence[int] = TEMPLATE_DOSES) -> list[Planted]:
    """As many as are in prose, of the first templates of these; `singles` are doses of single recordings."""
    doses = [(dose, 1) for dose in singles] + [(dose, PACK) for dose in TEMPLATE_PACKS]
    return of_templates(numbers, doses + [(dose, 1) for dose in TEMPLATE_CONTROLS])


def of_templates(numbers: Iterable[int], doses: Iterable[tuple[int, int]]) -> list[Planted]:
    """The first templates of these, for each of the doses: repetitions in all, and recordings."""
    return [
        Planted(from_template(number, 0).caption, dose, takes, False, seed=number)
        for (dose, takes), number in zip(doses, numbers, strict=False)
    ]
