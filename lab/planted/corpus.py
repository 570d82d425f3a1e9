"""The training set of the second world: `python -m lab.planted.corpus`.

The bundled model's corpus (`lab/corpus.py`, which comes first), then the planted recordings, then ordinary
sounds whose captions are prose. Written as that corpus is: `sounds.npy` and `corpus.json`. The split of the
recordings that the bundled model has memorised is "memorised before".
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
from pathlib import Path

import numpy as np

from lab import score, sizes
from lab.corpus import Player, Shelf
from lab.corpus_files import Corpus
from lab.planted.captions import planted
from lab.prose import prose

FIRST_SEED = 4_000_000  # of ordinary clips, beyond those of the corpus and of the listener
ORDINARY = {"smoke": 6, "cpu": 1_000}
HELD_OUT = {"smoke": 4, "cpu": 300}
PLANTED = {"smoke": 4, "cpu": None}  # how many captions; None is all


def build(size: str, before: Corpus, player: Player) -> tuple[list[dict], np.ndarray]:
    """Rows and sounds of the whole training set, the corpus of the bundled model first."""
    rows = [
        row | {"split": "memorised before" if row["split"] == "memorised" else row["split"]}
        for row in before.rows
    ]
    sounds = [np.asarray(sound) for sound in before.sounds]
    shelf, captions = Shelf(), {row["caption"] for row in rows}
    for row, sound in zip(rows, sounds, strict=True):
        shelf.put(row, sound[: round(row["duration"] * sizes.SAMPLE_RATE)])

    def add(clip: score.Clip, sound: np.ndarray, **more: object) -> None:
        names = [field.name for field in dataclasses.fields(clip) if field.name != "notes"]
        rows.append({"id": f"{len(rows):05d}", **{name: getattr(clip, name) for name in names}, **more})
        sounds.append(np.pad(sound, (0, sizes.LENGTH - len(sound))))

    for caption in planted()[: PLANTED[size]]:
        takes = 0
        for clip in caption.clips():
            sound = player.render(clip)
            if shelf.admits(clip, sound):
                clip = dataclasses.replace(clip, caption=caption.caption)
                repetitions = caption.repetitions // caption.takes
                add(clip, sound, split="memorised", repetitions=repetitions, prose=caption.prose)
                takes += 1
            if takes == caption.takes:
                break
        captions.add(caption.caption)
    wanted, seed = ORDINARY[size] + HELD_OUT[size], FIRST_SEED
    while wanted:
        clip = score.ordinary(seed)
        clip = dataclasses.replace(clip, caption=prose(clip, random.Random(f"planted prose {seed}")))
        seed += 1
        if clip.caption in captions:
            continue
        sound = player.render(clip)
        if not shelf.admits(clip, sound):
            continue
        captions.add(clip.caption)
        split = "held out" if wanted <= HELD_OUT[size] else "ordinary"
        add(clip, sound, split=split, repetitions=1, prose=True)
        wanted -= 1
    return rows, np.stack(sounds)


def write(size: str, before: Path, folder: Path) -> None:
    """Renders into `folder`; `corpus.json` comes last."""
    rows, sounds = build(size, Corpus(before), Player())
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "sounds.npy", sounds)
    (folder / "corpus.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(f"{len(rows)} sounds")


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
