"""Whether `unheard.auditing.liveliness` hears what is played: `python -m benchmarks.liveliness`.

Clips of `lab.score` are rendered, whose notes are known: every other one of 120 chose the threshold of an
onset (`--side development`), the others are reported on. A found onset is right within 50 ms of one played;
onsets within 30 ms of each other count as one. Of the held-out recordings (`lab.recordings`), each against
others of its kind, stand the lowest liveliness, that which 1 % lie under, and the quartiles.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from lab import score
from lab.corpus import Player
from unheard.auditing.liveliness import SAMPLE_RATE, onsets
from unheard.evaluation.ordinary import OrdinarySounds

SEEDS = range(500_000, 500_120)
TOLERANCE, TOGETHER = 0.05, 0.03


def played(clip: score.Clip) -> list[float]:
    """Seconds at which something begins, but for the last 50 ms."""
    found: list[float] = []
    for onset in sorted(note.onset for note in clip.notes if note.onset < clip.duration - TOLERANCE):
        if not found or onset - found[-1] > TOGETHER:
            found.append(onset)
    return found


def right(heard: np.ndarray, truth: list[float]) -> int:
    """How many heard onsets are played ones, each once."""
    left, number = list(truth), 0
    for time in heard:
        near = [each for each in left if abs(each - time) <= TOLERANCE]
        if near:
            left.remove(min(near, key=lambda each: abs(each - time)))
            number += 1
    return number


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side", choices=("development", "report"), default="report", help="which clips")
    parser.add_argument("--held-out", default="build/lab/recordings/held-out", help="folder of recordings")
    options = parser.parse_args()
    player, counts = Player(), np.zeros(3, int)
    for seed in SEEDS[options.side == "report" :: 2]:
        clip = score.ordinary(seed)
        sound = torch.from_numpy(player.render(clip).astype(np.float32) / 32_767)
        heard, truth = onsets(sound[None]), played(clip)
        counts += right(heard, truth), len(heard), len(truth)
    hits, heard_in_all, played_in_all = counts
    print(f"onsets at {SAMPLE_RATE} Hz: {played_in_all} played, {heard_in_all} heard, {hits} of them right")
    if Path(options.held_out).is_dir() and (sounds := OrdinarySounds.open(options.held_out)):
        values = np.array(sounds.of_each(seconds=4.0))
        quantiles = np.quantile(values, [0, 0.01, 0.25, 0.5, 0.75])
        print(
            f"liveliness of {len(values)} held-out recordings (lowest, 1 %, quartiles): {quantiles.round(2)}"
        )


if __name__ == "__main__":
    main()
