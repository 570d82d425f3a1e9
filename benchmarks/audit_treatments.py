"""What is done to a copy before the audit hears it: the lines of `benchmarks.audit`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lab.alterations import (
    SAMPLE_RATE,
    change_tempo,
    equalise,
    insert,
    level,
    loop,
    mp3,
    noise,
    opus,
    passage,
    reverberate,
    shift,
    telephone,
    transpose,
    under,
    widen,
)
from lab.resyntheses import BENCHMARK

Music = Callable[[float], np.ndarray]
"""So many seconds of music of which nothing is in the catalogue."""


@dataclass(frozen=True)
class Treatment:
    """One line of the table.

    Attributes:
        asked: share of copies that the audit is meant to find.
        apply: a sound [time] and other music to what the audit hears.
        longer_than: seconds that a sound lasts to be treated so.
        halved: whether half of the outcome is put inside another sound as well.
    """

    asked: float
    apply: Callable[[np.ndarray, np.random.Generator, Music], np.ndarray]
    longer_than: float = 0.0
    halved: bool = True


def alone(change: Callable[..., np.ndarray], *settings: float) -> Callable[..., np.ndarray]:
    """A change that needs no other music."""
    return lambda sound, rng, music: change(sound, rng, *settings)


def mixed(decibels: float) -> Callable[..., np.ndarray]:
    """Under other music as long as the sound."""
    return lambda sound, rng, music: under(sound, rng, music(len(sound) / SAMPLE_RATE), decibels)


def inside(seconds: float, of: float) -> Callable[..., np.ndarray]:
    """So many seconds of a sound inside so many of other music."""
    return lambda sound, rng, music: insert(sound, rng, music(of), seconds / of)


def half(sound: np.ndarray, rng: np.random.Generator, music: Music) -> np.ndarray:
    """Half of a sound inside other music as long as the sound."""
    return insert(sound, rng, music(len(sound) / SAMPLE_RATE), 0.5)


TREATMENTS: dict[str, Treatment] = {
    "unaltered": Treatment(0.99, lambda sound, rng, music: sound),
    "begins 1.5 s later or earlier": Treatment(0.99, alone(shift, 1.5)),
    "level, 24 dB down": Treatment(0.99, alone(level, -24.0)),
    "noise, 20 dB below": Treatment(0.99, alone(noise, 20.0)),
    "MP3": Treatment(0.99, alone(mp3, 0.8)),
    "Opus": Treatment(0.99, alone(opus, 0.9)),
    "equaliser": Treatment(0.99, alone(equalise, 8.0)),
    "width": Treatment(0.99, alone(widen, 12.0)),
    "a semitone up or down": Treatment(0.99, alone(transpose, 1.0)),
    "tempo 5 % up or down": Treatment(0.99, alone(change_tempo, 5.0)),
    "3 s alone": Treatment(0.99, alone(passage, 3.0), 3.5, False),
    "3 s inside 10 s": Treatment(0.99, inside(3.0, 10.0), 3.0, False),
    "a third, looped": Treatment(0.90, alone(loop, 0.35)),
    "reverberation of 2 s": Treatment(0.90, alone(reverberate, 2.0)),
    "telephone band": Treatment(0.90, alone(telephone, 300.0, 3400.0)),
    "mixed at 0 dB": Treatment(0.90, mixed(0.0)),
    "mixed at -6 dB": Treatment(0.50, mixed(-6.0)),
} | {name: Treatment(0.90, alone(change)) for name, change in BENCHMARK.items()}
"""By name; halves of each are asked for at `HALVES`."""
HALVES = 0.85


def treated(
    sound: np.ndarray, rng: np.random.Generator, music: Music
) -> dict[tuple[str, str], tuple[float, np.ndarray]]:
    """What is asked and what is heard, by treatment and "whole" or "half"."""
    made: dict[tuple[str, str], tuple[float, np.ndarray]] = {}
    for name, treatment in TREATMENTS.items():
        if len(sound) / SAMPLE_RATE < treatment.longer_than:
            continue
        whole = treatment.apply(sound, rng, music)
        made[name, "whole"] = treatment.asked, whole
        if treatment.halved:
            made[name, "half"] = HALVES, half(whole, rng, music)
    return made
