"""What is like a recording where nothing can be left of it: `python -m lab.residue_elsewhere RESULTS`.

A detoured sound goes on under a caption that is like its prompt. So it may be like the prompt's recording
for two reasons: something is left of that, or the two captions' sounds are alike. Another model, which has
the recording but once and not by heart, gives sounds for the same fallback captions where only the second can
be. Each is measured as the detoured sound was, against the recordings of its prompt
(`unheard.evaluation.own_recording`).

Prints the residues of both, and how many detoured sounds lie above what 1 % of the other model's exceed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq

import unheard
from lab.corpus_files import Corpus
from unheard import audio
from unheard.auditing.assembly import auditor_for
from unheard.auditing.catalogue import Catalogue
from unheard.common.intervals import ClusteredShare
from unheard.evaluation.own_recording import OwnRecording
from unheard.evaluation.results_folder import GENERATIONS

BATCH = 8
RARE = 0.01
"""Share of the other model's sounds that lie above the bound."""


class Detoured(NamedTuple):
    """A sound of an evaluation that went on under another caption."""

    prompt: str
    fallback: str
    residue: float


def detoured(results: Path, setting: str, group: str) -> tuple[list[Detoured], int]:
    """Those of a setting and group, and how many others: they kept their prompt, or have no residue."""
    names = ["setting", "group", *Detoured._fields]
    table = pq.read_table(results / GENERATIONS, columns=names).to_pylist()
    rows = [row for row in table if (row["setting"], row["group"]) == (setting, group)]
    told = [row for row in rows if row["fallback"] and row["residue"] is not None]
    return [Detoured(*(row[name] for name in Detoured._fields)) for row in told], len(rows) - len(told)


def own_recordings(catalogue: Catalogue, corpus: Corpus) -> Callable[[unheard.Sound, str], float]:
    """Measures the residue of a sound, against the recordings of a prompt."""
    captions = {row["id"]: row["caption"] for row in corpus.rows}
    of_references = [captions.get(Path(each).stem) for each in catalogue.ids]
    own = OwnRecording(catalogue, of_references)

    def measure(sound: unheard.Sound, prompt: str) -> float:
        waveform = audio.peak_normalise(sound.waveform), sound.sample_rate
        numbers = [number for number, caption in enumerate(of_references) if caption == prompt]
        return float(own.measure(waveform, prompt, numbers)["residue"])

    return measure


def elsewhere(
    model: unheard.Model,
    sounds: Sequence[Detoured],
    seeds: int,
    measure: Callable[[unheard.Sound, str], float],
) -> dict[str, list[float]]:
    """For each prompt the residues of what a model gives for its fallback captions, without guidance."""
    pairs = dict.fromkeys((sound.prompt, sound.fallback) for sound in sounds)
    asked = [pair for pair in pairs for _ in range(seeds)]
    found: dict[str, list[float]] = {}
    for at in range(0, len(asked), BATCH):
        prompts, fallbacks = zip(*asked[at : at + BATCH], strict=True)
        for prompt, sound in zip(prompts, model.generate(fallbacks, guidance=None, seed=at), strict=True):
            found.setdefault(prompt, []).append(measure(sound, prompt))
        print(f"{at + len(prompts)} of {len(asked)}", end="\r")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="folder of `unheard evaluate`")
    parser.add_argument("--model", type=Path, required=True, help="another model")
    parser.add_argument("--corpus", type=Path, required=True, help="the training set that was replayed")
    parser.add_argument("--references", type=Path, required=True, help="its recordings")
    parser.add_argument("--setting", default="detour", help="of the experiment (default: detour)")
    parser.add_argument("--group", default="x128", help="of its prompts (default: x128)")
    parser.add_argument("--seeds", type=int, default=4, help="sounds of each caption (default: 4)")
    given = parser.parse_args()
    sounds, left_out = detoured(given.results, given.setting, given.group)
    catalogue = auditor_for(given.references, None, None, None).catalogue
    measure = own_recordings(catalogue, Corpus(given.corpus))
    others = elsewhere(unheard.load(given.model), sounds, given.seeds, measure)
    null = np.concatenate([*others.values()])
    bound = float(np.quantile(null, 1 - RARE))
    residues = np.array([sound.residue for sound in sounds])
    for name, values in ((given.setting, residues), (given.model, null)):
        middle, high = np.quantile(values, (0.5, 0.95))
        print(
            f"{name}: {len(values)} sounds, median {middle:.2f}, 95 % {high:.2f}, highest {values.max():.2f}"
        )
    prompts = dict.fromkeys(sound.prompt for sound in sounds)
    above = ClusteredShare.of(_counts(sounds, prompt, bound) for prompt in prompts)
    print(
        f"above {bound:.2f}, which {RARE:.0%} of the other model's exceed: {above.hits} of {above.trials} "
        f"({above.low:.1%} to {above.high:.1%}), of {above.hit_clusters} of {above.clusters} captions; "
        f"{left_out} sounds left out"
    )
    nearer = [np.mean(np.array(others[sound.prompt]) < sound.residue) for sound in sounds]
    print(f"above the other model's of the same captions, on average: {np.mean(nearer):.2f} (.5 by chance)")


def _counts(sounds: Sequence[Detoured], prompt: str, bound: float) -> tuple[int, int]:
    """How many sounds of a prompt are above a bound, and how many there are."""
    of_prompt = [sound.residue for sound in sounds if sound.prompt == prompt]
    return sum(residue > bound for residue in of_prompt), len(of_prompt)


if __name__ == "__main__":
    main()
