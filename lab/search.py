"""Looks for the best weights of the published guidance in this world: `python -m lab.search`.

On a seed that no table uses, and on the memorised captions of the two highest doses unless told otherwise.
First the fewest copies, then the best adherence by the judge. Writes all trials to `search.json`; the best
is `lab.replication.BEST`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import unheard
from lab.replication import Catalogue, generate, judge, prompts
from unheard.guidance import describe_guidance

SEEDS = range(100, 101)
CANDIDATES = (
    unheard.AMG(c3=3_000),
    unheard.AMG(c3=10_000),
    unheard.AMG(c3=30_000),
    unheard.AMG(c3=10_000, lambda_min=0.5, lambda_max=0.6),
    unheard.AMG(c1=0.0, c2=0.0, c3=10_000),
    unheard.AMG(c1=1.0, c2=3.0, c3=10_000),
    unheard.AMG(c3=10, dissimilarity_space="noise"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--model", type=Path, default="src/unheard/assets/tiny", help="folder of the bundled model"
    )
    parser.add_argument(
        "--work", type=Path, default="build/lab", help="folder of the corpus; results go to search/"
    )
    parser.add_argument("--batch", type=int, default=4, help="sounds at once (default: 4)")
    parser.add_argument(
        "--least-repetitions", type=int, default=128, help="captions that repeat less are left out"
    )
    parser.add_argument(
        "--candidates", type=int, nargs="+", default=range(len(CANDIDATES)), help="which (default: all)"
    )
    arguments = parser.parse_args()
    folder = arguments.work / "search"
    folder.mkdir(parents=True, exist_ok=True)
    catalogue, model = Catalogue(arguments.work), unheard.load(arguments.model)
    rows, pool = prompts(arguments.model, SEEDS)
    rows = [row for row in rows if row["repetitions"] >= arguments.least_repetitions]
    threshold, trials = catalogue.threshold(), []
    for number in arguments.candidates:
        amg = CANDIDATES[number]
        name = f"candidate {number}"
        scale = model.defaults.sampling.guidance_scale
        results = generate(model, name, scale, amg, rows, folder, arguments.batch)
        judge(results, catalogue, arguments.model / "judge", pool, threshold)
        entry = {
            "guidance": describe_guidance(amg),
            "copies": sum(r["copy"] for r in results),
            "sounds": len(results),
            "adherence": round(float(np.mean([r["adherence"] for r in results])), 4),
            "likeness": round(float(np.median([r["likeness"] for r in results])), 4),
        }
        trials.append(entry)
        print(entry, flush=True)
        (folder / "search.json").write_text(json.dumps(trials, indent=1) + "\n")
    best = min(trials, key=lambda entry: (entry["copies"], -entry["adherence"]))
    print("best:", best)


if __name__ == "__main__":
    main()
