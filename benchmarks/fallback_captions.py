"""How often the first fallback caption names what the prompt does: `python -m benchmarks.fallback_captions`.

Asked for the held-out captions of a corpus of the laboratory, or for others of its splits, whose instruments
and tempi are known, with the index of its training set. Beside the shipped ranking stands the same one where
every word says as much of the sound as any other. Nothing is generated. Half a minute of a core.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from lab.corpus_files import Corpus
from unheard.embedders import load_embedder
from unheard.guidance.detour.candidates import Candidates
from unheard.index import Index
from unheard.index.searching.captions import Captions

BATCH = 60
TEMPO = re.compile(r"\d (bpm|beats)")


def candidates_of(index: Any, embedder: Any, prompts: Sequence[str]) -> Candidates:
    """Those of sounds that are asked for their captions alone."""
    backbone = SimpleNamespace(device=torch.device("cpu"))
    asked: Any = SimpleNamespace(index=index, embedder=embedder, prompts=prompts, backbone=backbone)
    return Candidates(asked, 64)


def first(index: Any, embedder: Any, prompts: Sequence[str]) -> list[str]:
    """The item whose caption each prompt falls back on."""
    candidates = candidates_of(index, embedder, prompts)
    return [index.ids[candidates.fallbacks(sample)[0]] for sample in range(len(prompts))]


def share(same: Callable[[dict, dict], bool], asked: list[dict], found: list[dict]) -> str:
    right = sum(same(one, other) for one, other in zip(asked, found, strict=True))
    return f"{right} of {len(asked)} ({right / max(len(asked), 1):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, default=Path("build/planted/corpus"), help="of the laboratory")
    parser.add_argument("--model", type=Path, default=Path("build/planted/model"), help="guide and index")
    parser.add_argument("--split", default="held out", help="whose captions are asked, such as memorised")
    arguments = parser.parse_args()
    corpus, index = Corpus(arguments.corpus), Index.open(arguments.model / "index.json")
    embedder = load_embedder(arguments.model / "guide")
    rows = {row["id"]: row for row in corpus.rows}
    captions = {row["caption"]: row for row in corpus.rows if row["split"] == arguments.split}
    plain = SimpleNamespace(
        ids=index.ids,
        prompts=index.prompts,
        search=index.search,
        captions=Captions(index.ids, index.prompts),
    )
    for name, prose in (("templates", False), ("prose", True)):
        asked = [row for row in captions.values() if row.get("prose", False) is prose]
        for ranking, searched in (("all words alike", plain), ("by what words say", index)):
            found = []
            for start in range(0, len(asked), BATCH):
                prompts = [row["caption"] for row in asked[start : start + BATCH]]
                found += [rows[item] for item in first(searched, embedder, prompts)]
            instrument = share(
                lambda a, b: (a["drums"], a["program"]) == (b["drums"], b["program"]), asked, found
            )
            family = share(lambda a, b: a["family"] == b["family"], asked, found)
            said = [pair for pair in zip(asked, found, strict=True) if TEMPO.search(pair[0]["caption"])]
            tempo = share(lambda a, b: a["tempo"] == b["tempo"], *map(list, zip(*said, strict=True)))
            print(f"{name}, {ranking}: instrument {instrument}, family {family}, tempo {tempo}", flush=True)


if __name__ == "__main__":
    main()
