"""The training set of the three worlds; `python -m lab.worlds` makes it.

The second world's (`lab/planted/corpus.py`, which comes first), then the recordings of the captions that are
planted here. What was planted there, and what the bundled model had memorised, is "memorised before".
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from lab.corpus import Growing, Player
from lab.corpus_files import Corpus
from lab.worlds.captions import planted


def build(before: Corpus, player: Player) -> tuple[list[dict], np.ndarray]:
    """Rows and sounds of the whole training set, the corpus of the second world first."""
    growing = Growing(player)
    for row, sound in zip(before.rows, before.sounds, strict=True):
        split = "memorised before" if row["split"] == "memorised" else row["split"]
        growing.take_over(row | {"split": split}, np.asarray(sound))
    for caption in planted():
        if caption.caption in growing.captions:
            raise SystemExit(f"{caption.caption!r} is the caption of another sound: plant another one")
        growing.add_takes(
            caption.clips(),
            caption.takes,
            split="memorised",
            repetitions=caption.repetitions // caption.takes,
            prose=caption.prose,
        )
    return growing.rows, np.stack(growing.sounds)


def write(before: Path, folder: Path) -> None:
    """Renders into `folder`; `corpus.json` comes last."""
    rows, sounds = build(Corpus(before), Player())
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "sounds.npy", sounds)
    (folder / "corpus.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(f"{len(rows)} sounds")
