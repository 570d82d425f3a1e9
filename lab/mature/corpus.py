"""The training set of the mature world; `python -m lab.mature` makes it.

The obedient world's corpus (`python -m lab.obedient`, which comes first), then ordinary sounds of its
instruments, half under captions in prose, then the planted recordings. What the obedient world planted is
"memorised before".
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lab import score
from lab.corpus import Player
from lab.corpus_files import Corpus, write_whole
from lab.mature.captions import FIRST_SEED, planted
from lab.obedient.captions import heard
from lab.planted.corpus import after, in_prose, plant

ORDINARY = 4_000  # of each style
HELD_OUT = 100


def build(before: Corpus, player: Player) -> tuple[list[dict], np.ndarray]:
    """Rows and sounds of the whole training set, the corpus of the obedient world first."""
    growing = after(before, player)
    clips = heard(FIRST_SEED)
    growing.add_ordinary(map(score.ordinary, clips), ORDINARY, HELD_OUT)
    growing.add_ordinary(map(in_prose, clips), ORDINARY, HELD_OUT, prose=True)
    plant(growing, planted(growing.captions))
    return growing.rows, np.stack(growing.sounds)


def write(before: Path, folder: Path) -> None:
    """Renders into `folder`."""
    write_whole(folder, *build(Corpus(before), Player()))
