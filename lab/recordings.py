"""The corpus as sound files, for audits against all of it: `python -m lab.recordings build/lab/recordings`.

Writes `training/ID.flac` and `held-out/ID.flac`, the caption beside each as `ID.txt`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import soundfile

from lab import sizes
from lab.corpus_files import Corpus


def write(corpus: Corpus, folder: Path) -> None:
    """All sounds of a corpus, each cut to its duration, into the two folders."""
    training = set(corpus.training)
    for name in ("training", "held-out"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for position, row in enumerate(corpus.rows):
        path = folder / ("training" if position in training else "held-out") / f"{row['id']}.flac"
        length = round(row["duration"] * sizes.SAMPLE_RATE)
        path.with_suffix(".txt").write_text(row["caption"] + "\n")
        soundfile.write(path, corpus.sounds[position][:length], sizes.SAMPLE_RATE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the two folders go")
    parser.add_argument("--work", type=Path, default="build/lab", help="folder of the corpus")
    arguments = parser.parse_args()
    write(Corpus(arguments.work / "corpus"), arguments.folder)


if __name__ == "__main__":
    main()
