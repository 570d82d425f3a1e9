"""The training set of the fresh world; `python -m lab.fresh` makes it.

The obedient world's corpus (`python -m lab.obedient`, which comes first), then the planted recordings. What
the obedient world planted is "memorised before".
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lab.corpus import Player
from lab.corpus_files import Corpus, write_whole
from lab.fresh.captions import planted
from lab.planted.corpus import after, plant


def build(before: Corpus, player: Player) -> tuple[list[dict], np.ndarray]:
    """Rows and sounds of the whole training set, the corpus of the obedient world first."""
    growing = after(before, player)
    plant(growing, planted(growing.captions))
    return growing.rows, np.stack(growing.sounds)


def write(before: Path, folder: Path) -> None:
    """Renders into `folder`."""
    write_whole(folder, *build(Corpus(before), Player()))
