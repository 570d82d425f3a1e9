"""The training set of the second world: `python -m lab.planted.corpus`.

The bundled model's corpus (`lab/corpus.py`, which comes first), then the planted recordings, then ordinary
sounds whose captions are prose. Written as that corpus is: `sounds.npy` and `corpus.json`. The split of the
recordings that the bundled model has memorised is "memorised before".
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import random
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from lab import score
from lab.corpus import Growing, Player
from lab.corpus_files import Corpus, as_before, write_whole
from lab.planted.captions import Planted, planted
from lab.prose import prose

FIRST_SEED = 4_000_000  # of ordinary clips, beyond those of the corpus and of the listener
ORDINARY = {"smoke": 6, "cpu": 1_000}
HELD_OUT = {"smoke": 4, "cpu": 300}
PLANTED = {"smoke": 4, "cpu": None}  # how many captions; None is all


def build(size: str, before: Corpus, player: Player) -> tuple[list[dict], np.ndarray]:
    """Rows and sounds of the whole training set, the corpus of the bundled model first."""
    growing = after(before, player)
    plant(growing, planted()[: PLANTED[size]])
    growing.add_ordinary(
        map(in_prose, itertools.count(FIRST_SEED)), ORDINARY[size], HELD_OUT[size], prose=True
    )
    return growing.rows, np.stack(growing.sounds)


def after(before: Corpus, player: Player) -> Growing:
    """A corpus that begins with all of another; what is memorised there is "memorised before"."""
    growing = Growing(player)
    for row, sound in zip(before.rows, before.sounds, strict=True):
        growing.take_over(as_before(row), np.asarray(sound))
    return growing


def plant(growing: Growing, captions: Iterable[Planted]) -> None:
    """The recordings of planted captions."""
    for caption in captions:
        growing.add_takes(
            caption.clips(),
            caption.takes,
            split="memorised",
            repetitions=caption.repetitions // caption.takes,
            prose=caption.prose,
        )


def in_prose(seed: int) -> score.Clip:
    """An ordinary clip under a caption in prose."""
    clip = score.ordinary(seed)
    return dataclasses.replace(clip, caption=prose(clip, random.Random(f"planted prose {seed}")))


def write(size: str, before: Path, folder: Path) -> None:
    """Renders into `folder`."""
    write_whole(folder, *build(size, Corpus(before), Player()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=ORDINARY, default="cpu", help="how many sounds (default: cpu)")
    parser.add_argument(
        "--before", type=Path, default=Path("build/lab/corpus"), help="corpus of the bundled model"
    )
    parser.add_argument("--out", type=Path, default=Path("build/planted/corpus"), help="folder to write to")
    arguments = parser.parse_args()
    write(arguments.size, arguments.before, arguments.out)


if __name__ == "__main__":
    main()
