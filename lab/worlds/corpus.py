"""The training set of the three worlds; `python -m lab.worlds` makes it.

The second world's (`lab/planted/corpus.py`, which comes first), then the recordings of the captions that are
planted here. What was planted there, and what the bundled model had memorised, is "memorised before".
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lab.corpus import Player
from lab.corpus_files import Corpus, write_whole
from lab.planted.corpus import after, plant
from lab.worlds.captions import planted


def build(before: Corpus, player: Player) -> tuple[list[dict], np.ndarray]:
    """Rows and sounds of the whole training set, the corpus of the second world first."""
    growing = after(before, player)
    for caption in planted():
        if caption.caption in growing.captions:
            raise SystemExit(f"{caption.caption!r} is the caption of another sound: plant another one")
        plant(growing, [caption])
    return growing.rows, np.stack(growing.sounds)


def write(before: Path, folder: Path) -> None:
    """Renders into `folder`."""
    write_whole(folder, *build(Corpus(before), Player()))
