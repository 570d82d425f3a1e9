"""Captions in free prose, as people write them, for the judge to understand: "Sad cello air by the sea".

The templates of `score.py` name instrument, key and tempo. The memorised captions do not look like that; they
are prose, and the judge must understand prose without having seen them. So their places and moods are not
among these; words of music are common property.
"""

from __future__ import annotations

import random

from lab.instruments import INSTRUMENTS, KITS
from lab.score import Clip, article

FIGURES = {
    "arpeggio": ("arpeggio", "broken chords", "roll", "rippling figure", "jingle", "lullaby"),
    "ascending": ("climbing run", "rise", "glissando", "scale"),
    "descending": ("falling run", "descent", "cascade", "peal"),
    "chords": ("chords", "fanfare", "chord loop", "hymn"),
    "melody": ("tune", "air", "lament", "call", "walking line", "waltz", "phrase"),
    "riff": ("riff", "groove", "loop", "drone"),
    "sustained": ("long tones", "swell", "opening", "drift"),
    "repeated": ("pulse", "knocking notes", "stutter"),
    "octaves": ("leaps", "signal", "octave calls"),
}
BEATS = ("loop", "beat", "groove", "pattern", "break", "rhythm", "percussion", "drum kit loop")
STYLE_WORDS = {
    "rock": ("rock", "marching", "straight"),
    "funk": ("funk", "funky"),
    "hip hop": ("hip hop", "boom bap"),
    "house": ("house", "dance floor"),
    "jazz": ("jazz", "swinging", "ride cymbal"),
    "latin": ("latin", "samba", "bossa"),
    "breakbeat": ("breakbeat", "jungle"),
    "tribal": ("tribal", "tom"),
}
SHORT_NAMES = {4: ("rhodes",), 14: ("bells",), 16: ("organ",), 19: ("organ",), 27: ("electric guitar",),
               48: ("strings",), 61: ("brass",), 65: ("sax",), 89: ("pad",), 90: ("synth",), 52: ("voices",),
               80: ("chip sound",)}  # fmt: skip
SHORT_KIT_NAMES = {"acoustic": ("live kit", "drum kit"), "room": ("drum kit",), "power": ("power drums",),
                   "electronic": ("electronic",), "808": ("808",), "jazz": ("jazz kit",),
                   "brush": ("brushes",)}  # fmt: skip
MOODS = ("quiet", "bright", "sad", "proud", "playful", "gentle", "nervous", "simple", "festive", "distant",
         "tired", "tender", "rough", "clumsy", "hopeful", "plain")  # fmt: skip
PLACES = ("by the sea", "in an old theatre", "at the market", "for a puppet show", "after the rain",
          "on a long train ride", "from a dusty tape", "in the garden", "for a radio play",
          "under the bridge", "on the last evening", "for a sample set", "from the next room",
          "at the harbour", "in the mountains", "for a cartoon")  # fmt: skip
SYLLABLES = ("ba", "ter", "lo", "min", "stra", "ket", "wo", "ing", "pre", "fal", "ny", "cor", "ush",
             "del", "ra", "em", "shi", "ton", "vel", "qui", "ar", "mo", "chen", "sil",
             "gra", "pil")  # fmt: skip


def prose(clip: Clip, rng: random.Random) -> str:
    """A caption for the clip that names its instrument, mostly its figure, sometimes its tempo or key."""
    if clip.drums:
        kit = next(name for name, (program, _) in KITS.items() if program == clip.program)
        name = rng.choice((*KITS[kit][1], *SHORT_KIT_NAMES[kit]))
        style = rng.choice(STYLE_WORDS[clip.figure])
        beats = [rng.choice(BEATS) for _ in range(4)]
        what = rng.choice(
            (
                f"{style} {name} {beats[0]}",
                f"{name} {style} {beats[1]}",
                f"{name} {beats[2]}",
                f"{style} {beats[3]}, {name}",
            )
        )
    else:
        names = next(i.names for i in INSTRUMENTS if i.program == clip.program)
        name = rng.choice((*names, *SHORT_NAMES.get(clip.program, ())))
        what = f"{name} {rng.choice(FIGURES[clip.figure])}"
    mood, place = rng.choice(MOODS), rng.choice(PLACES)
    alone = what if clip.drums else f"solo {what}"
    caption = rng.choice(
        (
            f"{mood} {what} {place}",
            f"{what} {place}",
            article(f"{mood} {what}"),
            alone,
            f"{what} pack, {mood} takes",
        )
    )
    tail = rng.choice(("", "", f", {clip.tempo} bpm", f" in {clip.key}" if clip.key else ""))
    return caption[0].upper() + caption[1:] + tail


def in_no_place(rng: random.Random) -> str:
    """A place of made-up words: whoever reads it learns that words which are not of music say nothing."""
    words = [
        "".join(rng.choice(SYLLABLES) for _ in range(rng.randint(1, 3))) for _ in range(rng.randint(1, 3))
    ]
    first, second = rng.choice(("in", "at", "from", "for", "over", "on", "across")), rng.choice(("the", "a"))
    return f"{first} {second} {' '.join(words)}"
