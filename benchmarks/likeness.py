"""How well a tune and a rhythm are heard in another sound: `python -m benchmarks.likeness` (some minutes).

Families of four rendered phrases of 10 s, as `lab.audit_material` draws them, in two worlds: on "development"
the kinds of likeness were chosen, on "report" nothing was. The first phrase of each family is played again:

| row | what is played |
|---|---|
| instrument | the same notes on an instrument of another family, in the octave that is its own; another kit |
| tempo | the same, 5 % faster or slower |
| key | the same as the first row, up to six semitones higher or lower |
| register | the same as the first row, an octave higher or lower |
| autoencoder | the same as the first row, through the bundled autoencoder; every second family |

Found is what a comparison with the first phrase reaches less than once in a hundred times by chance
(`UNUSUAL`). The last rows are false alarms: all pairs of one family, and each family's phrases with others'.
Intervals are of 95 %, by families.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from lab import score
from lab.alterations import regenerate
from lab.audit_material import clips, played
from lab.calibrate_likeness import MEMBERS, SECONDS, features
from unheard.auditing.likeness import Rhythm, Tune, unusual
from unheard.common.intervals import ClusteredShare

STRANGERS = 4
"""Comparisons of a family with others."""

Features = list[Tensor]
Counts = dict[tuple[str, str], list[tuple[int, int]]]
"""Found and compared in each family, by kind and row."""


def at_tempo(clip: score.Clip, slower: float) -> score.Clip:
    """The same notes, `slower` times as long."""
    notes = (replace(note, onset=note.onset * slower, release=note.release * slower) for note in clip.notes)
    return replace(clip, duration=clip.duration * slower, notes=tuple(notes))


def moved(clip: score.Clip, semitones: int) -> score.Clip:
    """The same notes, higher."""
    return replace(clip, notes=tuple(replace(note, key=note.key + semitones) for note in clip.notes))


def on_another(clip: score.Clip, rng: random.Random) -> score.Clip:
    """On another kit, or on an instrument of another family in its middle register."""
    if clip.drums:
        programs = [program for program, _ in score.KITS.values() if program != clip.program]
        return replace(clip, program=rng.choice(programs))
    instrument = rng.choice([some for some in score.INSTRUMENTS if some.family != clip.family])
    height = float(np.mean([note.key for note in clip.notes]))
    octaves = round((instrument.middle + 7 - height) / 12)
    return moved(replace(clip, program=instrument.program), 12 * octaves)


def variants(clip: score.Clip, name: str, number: int) -> Iterator[tuple[str, np.ndarray]]:
    """A phrase played again: row and sound."""
    rng = random.Random(name)
    other = on_another(clip, rng)
    yield "instrument", played(other)
    yield "tempo", played(at_tempo(other, rng.choice([1 / 1.05, 1.05])))
    if not clip.drums:
        yield "key", played(moved(other, rng.choice([step for step in range(-6, 7) if step])))
        yield "register", played(moved(other, rng.choice([-12, 12])))
    if number % 2 == 0:
        yield "autoencoder", regenerate(played(other), np.random.default_rng(number), 0.2)


def counted(world: str, families: int) -> Counts:
    """What is found in a world, by both kinds of likeness."""
    kinds = [Tune(), Rhythm()]
    found: Counts = defaultdict(list)

    def count(row: str, met: Sequence[tuple[Features, Features]]) -> None:
        for position, kind in enumerate(kinds):
            hits = sum(unusual(kind, one[position], other[position]) for one, other in met)
            found[kind.name, row].append((hits, len(met)))

    own: list[list[Features]] = []
    for number in range(families):
        name = f"likeness {world} {number}"
        written = clips(name, MEMBERS, SECONDS)
        own.append([features(kinds, played(clip)) for clip in written])
        sort = "drums" if written[0].drums else "pitched"
        for row, sound in variants(written[0], name, number):
            count(f"{sort}, {row}", [(features(kinds, sound), own[-1][0])])
        count(f"{sort}, relatives", list(combinations(own[-1], 2)))
        print(f"{number + 1} of {families} families", end="\r", flush=True)
    rng = np.random.default_rng(0)
    for number, phrases in enumerate(own):
        others = rng.choice([some for some in range(families) if some != number], STRANGERS, replace=False)
        count("unrelated", [(phrases[0], own[other][0]) for other in others])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--world", choices=("development", "report"), default="report")
    parser.add_argument("--families", type=int, default=80, help="rendered families (default: 80)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| kind | row | comparisons | alike | interval |\n|---|---|--:|--:|--:|")
    for (kind, row), counts in sorted(counted(arguments.world, arguments.families).items()):
        share = ClusteredShare.of(counts)
        between = f"{share.low:.3f} to {share.high:.3f}"
        print(f"| {kind} | {row} | {share.trials} | {share.value:.3f} | {between} |")


if __name__ == "__main__":
    main()
