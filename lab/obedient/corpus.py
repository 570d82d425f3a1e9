"""The training set of the obedient world; `python -m lab.obedient` makes it.

The bundled model's corpus (`lab/corpus.py`, which comes first), then the planted recordings, then ordinary
sounds of the instruments that are heard well, half under captions in prose. What the bundled model had
memorised is "memorised before".
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lab import score
from lab.corpus import Player
from lab.corpus_files import Corpus, write_whole
from lab.obedient.captions import heard, planted
from lab.planted.corpus import after, in_prose, plant

ORDINARY = 2_000  # of each style
HELD_OUT = 200


def build(before: Corpus, player: Player) -> tuple[list[dict], np.ndarray]:
    """Rows and sounds of the whole training set, the corpus of the bundled model first."""
    growing = after(before, player)
    plant(growing, planted(growing.captions))
    clips = heard()
    growing.add_ordinary(map(score.ordinary, clips), ORDINARY, HELD_OUT)
    growing.add_ordinary(map(in_prose, clips), ORDINARY, HELD_OUT, prose=True)
    return growing.rows, np.stack(growing.sounds)


def write(before: Path, folder: Path) -> None:
    """Renders into `folder`."""
    write_whole(folder, *build(Corpus(before), Player()))
