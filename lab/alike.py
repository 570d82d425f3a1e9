"""How alike an experiment's sounds are to training recordings: `python -m lab.alike results/fresh`.

By `lab/likeness.py`, which no network learned and which the audit does not use. The detour's first gates and
blends were chosen by it, on other captions (docs/log.md). Prints, for each setting and group, the correlation
with the most alike of all recordings, and with those of the sound's own prompt.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import soundfile
import torch

from lab import likeness, sizes
from lab.corpus_files import Corpus
from unheard.evaluation.results_folder import GENERATIONS

BATCH = 8
ABOVE = 0.744
"""What counts as a copy by this measure: the most that different recordings of one kind have in common."""


def features_of(corpus: Corpus) -> torch.Tensor:
    """Of all training recordings [recordings, bands, frames]."""
    pieces = [corpus.training[at : at + 64] for at in range(0, len(corpus.training), 64)]
    return torch.cat([likeness.log_mel(corpus.waveforms(some)) for some in pieces])


def padded(path: Path) -> torch.Tensor:
    """A sound [time] of the model's full length."""
    waveform, _ = soundfile.read(path, dtype="float32")
    return torch.nn.functional.pad(torch.from_numpy(waveform), (0, sizes.LENGTH - len(waveform)))


def correlations(results: Path, corpus: Corpus) -> Iterator[tuple[tuple[str, str], float, float | None]]:
    """Of each sound its setting and group, and the two correlations; None where no recording is its own."""
    references = features_of(corpus)
    captions = np.array([corpus.rows[position]["caption"] for position in corpus.training])
    table = pq.read_table(results / GENERATIONS, columns=["setting", "group", "prompt", "audio"])
    rows = [row for row in table.to_pylist() if row["audio"]]
    for at in range(0, len(rows), BATCH):
        some = rows[at : at + BATCH]
        sounds = likeness.log_mel(torch.stack([padded(results / row["audio"]) for row in some]))
        for row, values in zip(some, likeness.correlations(sounds, references), strict=True):
            own = values[captions == row["prompt"]]
            highest = float(own.max()) if len(own) else None
            yield (row["setting"], row["group"]), float(values.max()), highest


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="folder of `unheard evaluate`")
    parser.add_argument("--corpus", type=Path, default=Path("build/fresh/corpus"), help="training set")
    arguments = parser.parse_args()
    found: dict[tuple[str, str], list[tuple[float, float | None]]] = {}
    for group, highest, own in correlations(arguments.results, Corpus(arguments.corpus)):
        found.setdefault(group, []).append((highest, own))
    print(f"setting, group: sounds, median, 95 %, highest, above {ABOVE}, highest with its own")
    for (setting, name), values in found.items():
        most = np.array([highest for highest, _ in values])
        owns = [own for _, own in values if own is not None]
        with_own = f"{max(owns):.2f}" if owns else "none"
        middle, high = np.quantile(most, (0.5, 0.95))
        print(
            f"{setting}, {name}: {len(most)}, {middle:.2f}, {high:.2f}, {most.max():.2f}, "
            f"{(most > ABOVE).sum()}, {with_own}"
        )


if __name__ == "__main__":
    main()
