"""What is played and how it is described: notes drawn from a seed, and the captions made from them.

A `Clip` is a written score: everything that decides the sound, and its caption. `ordinary(seed)` draws one.
Nothing here makes a sound; `corpus.py` does.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from lab.instruments import (
    CLAP,
    HAT,
    INSTRUMENTS,
    KEY_OFFSETS,
    KEYS,
    KICK,
    KITS,
    MONOPHONIC,
    OPEN_HAT,
    PERCUSSION,
    PHRASES,
    REGISTERS,
    RIDE,
    SCALES,
    SNARE,
    STYLES,
    TEMPI,
    Instrument,
)


@dataclass(frozen=True)
class Note:
    """One note: onset and release in seconds, MIDI key, MIDI velocity."""

    onset: float
    release: float
    key: int
    velocity: int


@dataclass(frozen=True)
class Clip:
    """A score with its caption: `program` of the sound font (a kit where `drums`), `duration` in seconds.

    `figure` is the phrase, of drums the style; `key` is such as "D minor", None of drums.
    """

    caption: str
    family: str
    instrument: str
    program: int
    drums: bool
    figure: str
    key: str | None
    tempo: int
    duration: float
    notes: tuple[Note, ...] = field(repr=False)


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
        grid[key] = [chance * pattern[step % 4] for step, chance in enumerate(grid[key])]
    for key in rng.sample(PERCUSSION, 2):
        grid[key] = [0.9 if rng.random() < 0.22 else 0.0 for _ in range(16)]
    for key in (KICK, SNARE, CLAP):
        if key in grid:
            grid[key] = [
                chance if step % 4 == 0 else max(chance, rng.choice((0.0, 0.0, 0.0, 0.0, 0.9)))
                for step, chance in enumerate(grid[key])
            ]
    bars = [
        [(step, key) for key, row in grid.items() for step in range(16) if rng.random() < row[step]]
        for _ in range(2)
    ]
    accents = {key: rng.randint(70, 120) for key in grid}
    notes, start, bar = [], 0.0, 0
    while start < duration:
        for step, key in bars[bar % 2]:
            onset = start + (step + (swing if step % 2 else 0.0)) * sixteenth
            if onset < duration - 0.05:
                velocity = accents[key] + (0 if step % 4 == 0 else -18) + rng.randint(-5, 5)
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
        degree, line = rng.randint(0, 6), []
        for _ in range(200):
            degree = max(-4, min(10, degree + rng.choice((-3, -2, -1, -1, 0, 1, 1, 2, 4))))
            line.append([degree] if rng.random() < 0.85 else [])
        degrees = line
    elif phrase == "riff":
        size = rng.choice((6, 8))
        cell = [[rng.choice((0, 0, 2, 3, 4, 6, 7))] if rng.random() < 0.75 else [] for _ in range(size)]
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
    """One of several captions for a drum loop."""
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
    """One of several captions for a phrase on a pitched instrument."""
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
    return Clip(caption, "drums", f"{kit} {style}", program, True, style, None, tempo, duration, notes)


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
    return Clip(caption, family, name, program, False, phrase, f"{key} {mode}", tempo, duration, notes)


def ordinary(seed: int, tempi: Sequence[int] = TEMPI) -> Clip:
    """An ordinary clip of 2 to 4 seconds with a caption of its own, drawn from `seed`."""
    rng = random.Random(f"ordinary {seed}")
    duration = rng.choice((2.0, 2.5, 3.0, 3.5, 4.0))
    tempo = rng.choice(tempi)
    if rng.random() < 0.25:
        return drum_clip(rng, rng.choice(tuple(KITS)), rng.choice(tuple(STYLES)), tempo, duration)
    return pitched_clip(rng, rng.choice(INSTRUMENTS), rng.choice(tuple(PHRASES)), tempo, duration)
