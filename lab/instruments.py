"""What can be played, with its names in captions: instruments, drum kits and styles, phrases, keys, tempi."""

from __future__ import annotations

from dataclasses import dataclass

DRUM_CHANNEL_BANK = 128
TEMPI = (70, 80, 90, 100, 110, 120, 130, 140)
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
KEYS = ("C", "D", "E", "F", "G", "A")
KEY_OFFSETS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9}


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
KICK, STICK, SNARE, CLAP = 36, 37, 38, 39  # MIDI keys
HAT, OPEN_HAT, PEDAL_HAT = 42, 46, 44
TOM_LOW, TOM_MID, TOM_HIGH = 41, 45, 48
CRASH, RIDE, COWBELL = 49, 51, 56
PERCUSSION = (COWBELL, STICK, TOM_LOW, TOM_MID, TOM_HIGH, 54, 70, 75)  # 54 tambourine, 70 maracas, 75 claves
# Sixteenth-note grids, one 4/4 bar: the chance of a hit in each. A take draws its own bar from them.
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
