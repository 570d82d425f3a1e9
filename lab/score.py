"""What is played and how it is described: instruments, drum styles, phrases, and the captions made from them.

A `Clip` is a written score: everything that decides the sound, and its caption. `ordinary(seed)` draws one;
`MEMORISED` lists the captions that the model is meant to memorise, and `take(...)` draws the different
recordings of such a caption.
Nothing here makes a sound; `corpus.py` does.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

DRUM_CHANNEL_BANK = 128
TEMPI = (70, 80, 90, 100, 110, 120, 130, 140)
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
KEYS = ("C", "D", "E", "F", "G", "A")
KEY_OFFSETS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9}


@dataclass(frozen=True)
class Note:
    """One note: onset and release in seconds, MIDI key, MIDI velocity."""

    onset: float
    release: float
    key: int
    velocity: int


@dataclass(frozen=True)
class Clip:
    """A score with its caption: `program` of the sound font (a kit where `drums`), `duration` in seconds."""

    caption: str
    family: str
    instrument: str
    program: int
    drums: bool
    tempo: int
    duration: float
    notes: tuple[Note, ...] = field(repr=False)


@dataclass(frozen=True)
class Instrument:
    """A General MIDI program: its names, and the MIDI key that its middle register starts at."""

    family: str
    program: int
    names: tuple[str, ...]
    middle: int = 60


INSTRUMENTS = (
    Instrument("keys", 0, ("grand piano", "acoustic piano", "piano")),
    Instrument("keys", 4, ("electric piano", "rhodes piano"), 55),
    Instrument("keys", 6, ("harpsichord",)),
    Instrument("keys", 16, ("drawbar organ", "hammond organ")),
    Instrument("keys", 19, ("church organ", "pipe organ"), 55),
    Instrument("keys", 21, ("accordion",)),
    Instrument("bells", 9, ("glockenspiel",), 72),
    Instrument("bells", 10, ("music box",), 70),
    Instrument("bells", 11, ("vibraphone", "vibes")),
    Instrument("bells", 12, ("marimba",), 55),
    Instrument("bells", 13, ("xylophone",), 65),
    Instrument("bells", 14, ("tubular bells",), 60),
    Instrument("bells", 108, ("kalimba", "thumb piano"), 64),
    Instrument("bells", 114, ("steel drum", "steel pan"), 60),
    Instrument("guitar", 24, ("nylon guitar", "classical guitar"), 52),
    Instrument("guitar", 25, ("steel string guitar", "acoustic guitar"), 52),
    Instrument("guitar", 27, ("clean electric guitar",), 52),
    Instrument("guitar", 28, ("muted guitar", "palm muted guitar"), 50),
    Instrument("guitar", 29, ("overdriven guitar", "rock guitar"), 48),
    Instrument("guitar", 105, ("banjo",), 55),
    Instrument("guitar", 104, ("sitar",), 52),
    Instrument("guitar", 46, ("harp",), 60),
    Instrument("bass", 32, ("upright bass", "double bass"), 33),
    Instrument("bass", 33, ("bass guitar", "finger bass"), 33),
    Instrument("bass", 36, ("slap bass",), 33),
    Instrument("bass", 38, ("synth bass", "analog bass"), 33),
    Instrument("strings", 40, ("violin",), 64),
    Instrument("strings", 42, ("cello",), 45),
    Instrument("strings", 45, ("pizzicato strings", "plucked strings"), 55),
    Instrument("strings", 48, ("string ensemble", "string section"), 55),
    Instrument("winds", 56, ("trumpet",), 62),
    Instrument("winds", 57, ("trombone",), 48),
    Instrument("winds", 60, ("french horn",), 50),
    Instrument("winds", 61, ("brass section", "brass ensemble"), 55),
    Instrument("winds", 65, ("alto saxophone", "saxophone"), 57),
    Instrument("winds", 68, ("oboe",), 65),
    Instrument("winds", 71, ("clarinet",), 60),
    Instrument("winds", 73, ("flute",), 70),
    Instrument("winds", 75, ("pan flute",), 67),
    Instrument("pads", 89, ("warm pad", "warm synth pad"), 55),
    Instrument("pads", 52, ("choir", "vocal choir"), 58),
    Instrument("pads", 90, ("polysynth", "poly synth pad"), 55),
    Instrument("leads", 80, ("square lead", "chiptune lead"), 65),
    Instrument("leads", 81, ("saw lead", "sawtooth synth"), 60),
)

KITS = {
    "acoustic": (0, ("acoustic drum", "live drum")),
    "room": (8, ("room drum", "roomy drum")),
    "power": (16, ("power drum", "big drum")),
    "electronic": (24, ("electronic drum", "synthetic drum")),
    "808": (25, ("808 drum", "drum machine")),
    "jazz": (32, ("jazz drum",)),
    "brush": (40, ("brushed drum", "brush drum")),
}
KICK, STICK, SNARE, CLAP, HAT, OPEN_HAT, PEDAL_HAT, TOM_LOW, TOM_MID, TOM_HIGH, CRASH, RIDE, COWBELL = (
    36,
    37,
    38,
    39,
    42,
    46,
    44,
    41,
    45,
    48,
    49,
    51,
    56,
)
PERCUSSION = (COWBELL, STICK, TOM_LOW, TOM_MID, TOM_HIGH, 54, 70, 75)  # 54 tambourine, 70 maracas, 75 claves
# Sixteenth-note grids, one 4/4 bar: the chance of a hit at each place. A take draws its own bar from them.
STYLES: dict[str, dict[int, str]] = {
    "rock": {
        KICK: "9000200370050020",
        SNARE: "0000900100009012",
        HAT: "9090909090909090",
        CRASH: "4000000000000000",
    },
    "funk": {
        KICK: "9020037000500300",
        SNARE: "0002900202009003",
        HAT: "9797979797979797",
        OPEN_HAT: "0000003000000040",
    },
    "hip hop": {KICK: "9003005040720010", SNARE: "0000900000009001", HAT: "9092909390929094"},
    "house": {
        KICK: "9000900090009000",
        CLAP: "0000900000009000",
        OPEN_HAT: "0090009000900090",
        HAT: "5050504050505040",
    },
    "jazz": {
        RIDE: "9000907090009070",
        PEDAL_HAT: "0000900000009000",
        KICK: "3002000200300020",
        SNARE: "0020003002000030",
    },
    "latin": {
        STICK: "9003009000090090",
        KICK: "9000009090000090",
        HAT: "8080808080808080",
        COWBELL: "5050005050500050",
    },
    "breakbeat": {
        KICK: "9090000000590030",
        SNARE: "0000900909009003",
        HAT: "9090909090909090",
        OPEN_HAT: "0000000000400000",
    },
    "tribal": {
        TOM_LOW: "9003006090030050",
        TOM_MID: "0030500300604003",
        TOM_HIGH: "0050030400030504",
        KICK: "9000500090005000",
    },
}
PHRASES = {
    "arpeggio": ("arpeggio", "arpeggiated figure"),
    "ascending": ("ascending scale", "rising line"),
    "descending": ("descending scale", "falling line"),
    "chords": ("chords", "chord progression"),
    "melody": ("melody", "tune"),
    "riff": ("riff", "ostinato"),
    "sustained": ("sustained notes", "long notes"),
    "repeated": ("repeated notes", "pulsing notes"),
    "octaves": ("octave jumps", "leaping octaves"),
}
MONOPHONIC = ("bass", "winds", "leads")
REGISTERS = {"low": -12, "middle": 0, "high": 12}


def drum_notes(rng: random.Random, style: str, tempo: int, duration: float) -> tuple[Note, ...]:
    """Two bars drawn from the style's grid, with a percussion figure of the take's own, over and over."""
    sixteenth = 60.0 / tempo / 4.0
    swing = rng.choice((0.0, 0.0, 0.16)) if style != "jazz" else 0.3
    grid = {key: [int(chance) / 9.0 for chance in chances] for key, chances in STYLES[style].items()}
    thinning = {
        key: rng.choice(((1, 1, 1, 1), (1, 0, 1, 0), (0, 1, 1, 1), (1, 0, 0, 1), (0, 0, 1, 0)))
        for key in (HAT, OPEN_HAT, RIDE)
        if key in grid
    }
    for key, pattern in thinning.items():
        grid[key] = [chance * pattern[place % 4] for place, chance in enumerate(grid[key])]
    for key in rng.sample(PERCUSSION, 2):
        grid[key] = [0.9 if rng.random() < 0.22 else 0.0 for _ in range(16)]
    for key in (KICK, SNARE, CLAP):
        if key in grid:
            grid[key] = [
                chance if place % 4 == 0 else max(chance, rng.choice((0.0, 0.0, 0.0, 0.0, 0.9)))
                for place, chance in enumerate(grid[key])
            ]
    bars = [
        [(place, key) for key, row in grid.items() for place in range(16) if rng.random() < row[place]]
        for _ in range(2)
    ]
    accents = {key: rng.randint(70, 120) for key in grid}
    notes, start, bar = [], 0.0, 0
    while start < duration:
        for place, key in bars[bar % 2]:
            onset = start + (place + (swing if place % 2 else 0.0)) * sixteenth
            if onset < duration - 0.05:
                velocity = accents[key] + (0 if place % 4 == 0 else -18) + rng.randint(-5, 5)
                notes.append(Note(onset, min(onset + 0.12, duration), key, max(30, min(127, velocity))))
        start += 16 * sixteenth
        bar += 1
    return tuple(sorted(notes, key=lambda n: (n.onset, n.key)))


def phrase_notes(
    rng: random.Random,
    phrase: str,
    root: int,
    mode: str,
    tempo: int,
    duration: float,
    velocity: int,
    family: str,
) -> tuple[Note, ...]:
    """A phrase of the given kind in `mode` on `root` (MIDI key), on the beat of `tempo`."""
    beat = 60.0 / tempo
    scale = [root + 12 * octave + step for octave in range(-1, 4) for step in SCALES[mode]]
    home = len(SCALES[mode])
    unit = beat * rng.choice((0.25, 0.5) if phrase in ("arpeggio", "repeated", "riff") else (0.5, 0.5, 1.0))
    length = rng.choice((0.5, 0.9, 1.0))
    degrees: list[list[int]] = []
    if phrase == "arpeggio":
        chord, order = [0, 2, 4, 7], rng.choice(("up", "down", "both", "mixed"))
        both, mixed = chord + chord[-2:0:-1], rng.sample(chord, 4)
        steps = {"up": chord, "down": chord[::-1], "both": both, "mixed": mixed}[order]
        shifts = [rng.choice((0, 0, 3, 4, 5)) for _ in range(16)]
        degrees = [[s + shifts[i // len(steps) % 16]] for i in range(200) for s in (steps[i % len(steps)],)]
    elif phrase in ("ascending", "descending"):
        start, stride, period = rng.randint(0, 3), rng.choice((1, 1, 2)), rng.choice((5, 6, 8))
        sign = 1 if phrase == "ascending" else -1
        base = start if sign > 0 else start + 8
        degrees = [[base + sign * stride * (i % period)] for i in range(200)]
    elif phrase == "chords":
        unit, length = beat * rng.choice((1, 1, 2)), rng.choice((0.6, 0.95))
        roots = [rng.choice((0, 3, 4, 5, 1)) for _ in range(8)]
        rhythm = rng.choice((1, 2))
        degrees = [[r, r + 2, r + 4] for i in range(200) for r in (roots[i // rhythm % 8],)]
    elif phrase == "melody":
        place, line = rng.randint(0, 6), []
        for _ in range(200):
            place = max(-4, min(10, place + rng.choice((-3, -2, -1, -1, 0, 1, 1, 2, 4))))
            line.append([place] if rng.random() < 0.85 else [])
        degrees = line
    elif phrase == "riff":
        places = rng.choice((6, 8))
        cell = [[rng.choice((0, 0, 2, 3, 4, 6, 7))] if rng.random() < 0.75 else [] for _ in range(places)]
        cell[0] = [0]
        degrees = [cell[i % len(cell)] for i in range(200)]
    elif phrase == "sustained":
        unit, length = beat * rng.choice((2, 3, 4)), 1.0
        degrees = [[rng.randint(0, 7)] for _ in range(200)]
    elif phrase == "repeated":
        pitches, hold = [rng.randint(0, 6) for _ in range(8)], rng.choice((4, 8))
        degrees = [[pitches[i // hold % 8]] for i in range(200)]
    elif phrase == "octaves":
        pitches = [rng.randint(0, 5) for _ in range(16)]
        degrees = [[pitches[i // 2 % 16] + (7 if i % 2 else 0)] for i in range(200)]
    notes, onset, index = [], 0.0, 0
    while onset < duration - 0.08:
        sounding = degrees[index][:1] if family in MONOPHONIC else degrees[index]
        for degree in sounding:
            release = min(onset + unit * length, duration)
            loudness = max(25, min(127, velocity + rng.randint(-6, 6)))
            notes.append(Note(onset, release, scale[home + degree], loudness))
        onset += unit
        index += 1
    return tuple(notes)


def article(phrase: str) -> str:
    return ("An " if phrase[0] in "aeiou8" else "A ") + phrase


def drum_caption(rng: random.Random, name: str, style: str, tempo: int) -> str:
    """One of several wordings for a drum loop."""
    return rng.choice(
        (
            f"{article(name)} loop, {style} groove, {tempo} bpm",
            f"{style.capitalize()} beat on {'a' if name[0] not in 'ae8' else 'an'} {name} kit at {tempo} bpm",
            f"{article(style)} {name} groove, {tempo} bpm",
            f"{article(name)} pattern in {style} style, {tempo} beats per minute",
            f"{style.capitalize()} {name} loop at {tempo} bpm",
        )
    )


def pitched_caption(
    rng: random.Random, name: str, phrase: str, key: str, mode: str, tempo: int, register: str, loudness: str
) -> str:
    """One of several wordings for a phrase on a pitched instrument."""
    pace = "slow" if tempo <= 90 else "fast" if tempo >= 130 else "moderate"
    colours = [word for word in (loudness, register if register != "middle" else "") if word]
    colour = rng.choice(colours or ["gentle"])
    return rng.choice(
        (
            f"{article(colour)} {name} {phrase} in {key} {mode}, {tempo} bpm",
            f"{name.capitalize()} playing {phrase} in {key} {mode}, {pace} tempo",
            f"{pace.capitalize()} {phrase} on {name}, {colour}, {key} {mode}",
            f"{article(name)} {phrase}, {register} register, {tempo} bpm",
            f"{colour.capitalize()} {phrase} played by {name} at {tempo} bpm in {key} {mode}",
        )
    )


def drum_clip(
    rng: random.Random, kit: str, style: str, tempo: int, duration: float, caption: str | None = None
) -> Clip:
    program, names = KITS[kit]
    caption = caption or drum_caption(rng, rng.choice(names), style, tempo)
    notes = drum_notes(rng, style, tempo, duration)
    return Clip(caption, "drums", f"{kit} {style}", program, True, tempo, duration, notes)


def pitched_clip(
    rng: random.Random,
    instrument: Instrument,
    phrase: str,
    tempo: int,
    duration: float,
    caption: str | None = None,
    key: str | None = None,
    mode: str | None = None,
    register: str | None = None,
) -> Clip:
    key, mode = key or rng.choice(KEYS), mode or rng.choice(tuple(SCALES))
    register = register or rng.choice(("low", "middle", "middle", "high"))
    if instrument.family == "bass" or instrument.program in (9, 10, 13, 73, 75):
        register = "middle"
    loudness = rng.choice(("soft", "loud", ""))
    velocity = {"soft": 55, "": 88, "loud": 118}[loudness]
    caption = caption or pitched_caption(
        rng, rng.choice(instrument.names), rng.choice(PHRASES[phrase]), key, mode, tempo, register, loudness
    )
    root = instrument.middle + KEY_OFFSETS[key] + REGISTERS[register]
    notes = phrase_notes(rng, phrase, root, mode, tempo, duration, velocity, instrument.family)
    family, name, program = instrument.family, instrument.names[0], instrument.program
    return Clip(caption, family, name, program, False, tempo, duration, notes)


def ordinary(seed: int) -> Clip:
    """An ordinary clip of 2 to 4 seconds with a caption of its own, drawn from `seed`."""
    rng = random.Random(f"ordinary {seed}")
    duration = rng.choice((2.0, 2.5, 3.0, 3.5, 4.0))
    tempo = rng.choice(TEMPI)
    if rng.random() < 0.25:
        return drum_clip(rng, rng.choice(tuple(KITS)), rng.choice(tuple(STYLES)), tempo, duration)
    return pitched_clip(rng, rng.choice(INSTRUMENTS), rng.choice(tuple(PHRASES)), tempo, duration)


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
