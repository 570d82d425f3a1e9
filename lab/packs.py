"""Whether the audit finds what the bundled model replays of its packs: `python -m lab.packs`.

The caption of a pack stands for several takes, so a sound may replay one of them for a second or two and go
on with another. Of each pack that `tiny` heard often, its sounds are judged by windows of a second, which no
audit was tuned by: the correlation of log-mel spectra (`lab.likeness`), every band's mean taken out, at the
best place of the best take. Chance is the same instrument: other training recordings of it, judged in the
same way. A sound above all of them replays its pack. Prints how many do, and what the audit says of these and
of the others.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import unheard
from lab.corpus_files import Corpus
from lab.likeness import HOP, SAMPLE_RATE, centred, log_mel
from unheard import audio
from unheard.auditing.assembly import auditor_for

WINDOW, EVERY = round(SAMPLE_RATE / HOP), round(0.1 * SAMPLE_RATE / HOP)
"""Frames of a window, a second, and from one of a sound to the next, a tenth."""
FAINTEST = 0.5
"""Highest level of a window, 0 to 1, below which it is too quiet to say anything: 15 dB below the peak."""
FIRST_SEED = 1000
OFTEN = 48
"""Repetitions of a pack from which on it is asked for."""


def windows(sound: Tensor, every: int) -> Tensor:
    """Sound [time] at `SAMPLE_RATE` to windows of unit length [windows, numbers], the quiet ones left out."""
    some = log_mel(sound[None])[0].unfold(1, WINDOW, every).transpose(0, 1)
    some = some[some.amax(dim=(1, 2)) > FAINTEST]
    return centred(some).flatten(1)


def likeness(sound: Tensor, takes: Sequence[Tensor]) -> float:
    """The highest correlation of any window of a sound [time] with any of the takes' `windows`."""
    ours = windows(sound, EVERY)
    return max((float((ours @ take.T).max()) for take in takes if len(ours) and len(take)), default=0.0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, default=Path("build/lab/corpus"), help="of `lab.corpus`")
    parser.add_argument(
        "--references", type=Path, help="recordings that the audit compares with, all of them"
    )
    parser.add_argument("--seeds", type=int, default=8, help="sounds of each pack (default: 8)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    model, corpus = unheard.load("tiny"), Corpus(arguments.corpus)
    folder = model.defaults.references
    assert folder is not None
    packs = [
        entry
        for entry in json.loads(folder.read_text(encoding="utf-8"))
        if len(entry["items"]) > 1 and entry["repetitions"] >= OFTEN
    ]
    auditor = auditor_for(arguments.references, None, folder, None)
    print(f"audited against {len(auditor.catalogue):,} recordings")
    print(
        "| pack | repetitions | chance, 90 % of | at most | sounds' likeness | replays | of these | others |"
    )
    print("|---|--:|--:|--:|---|--:|---|---|")
    every: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for entry in packs:
        rows = [
            position for position in corpus.training if corpus.rows[position]["caption"] == entry["caption"]
        ]
        kind = [corpus.rows[rows[0]][name] for name in ("family", "program")]
        takes = [windows(sound, 1) for sound in corpus.waveforms(rows)]
        others = [
            position
            for position in corpus.training
            if position not in rows
            and [corpus.rows[position][name] for name in ("family", "program")] == kind
        ]
        chance = np.array([likeness(sound, takes) for sound in corpus.waveforms(others)])
        bound = float(chance.max())
        said: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
        found = []
        for seed in range(FIRST_SEED, FIRST_SEED + arguments.seeds):
            (sound,) = model.generate(entry["caption"], guidance=None, seed=seed)
            mono = audio.resample(sound.waveform.mean(dim=0), sound.sample_rate, SAMPLE_RATE)
            found.append(likeness(mono, takes))
            said[found[-1] > bound][auditor.judge((sound.waveform, sound.sample_rate)).verdict] += 1
        for replays, verdicts in said.items():
            every[replays] += verdicts
        cells = (
            entry["caption"],
            entry["repetitions"],
            len(chance),
            f"{np.quantile(chance, 0.9):.2f}",
            f"{bound:.2f}",
            " ".join(f"{some:.2f}" for some in sorted(found)),
            sum(said[True].values()),
            _said(said[True]),
            _said(said[False]),
        )
        print(f"| {' | '.join(map(str, cells))} |", flush=True)
    print(f"replays: {_said(every[True])}; others: {_said(every[False])}")


def _said(verdicts: Counter[str]) -> str:
    return ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common()) or "none"


if __name__ == "__main__":
    main()
