"""Which captions and seeds thresholds and weights are chosen on, and which are reported on.

`python -m lab.split` prints both as JSON. Of each dose, single recordings and packs are halved by turns;
so are the captions that the model never saw. Experiment files name the halves by `half = "development"` and
`half = "report"`, and the seeds by their first one.
"""

from __future__ import annotations

import json
from pathlib import Path

from unheard.evaluation.prompts import HALVES, read_prompts

MODEL = Path("src/unheard/assets/tiny")
FIRST_SEED = {"development": 200, "report": 1000}


def split(folder: Path = MODEL) -> dict[str, dict]:
    """By side: the memorised captions, the ordinary ones, and the first seed."""
    return {
        side: {"first_seed": FIRST_SEED[side]}
        | {
            name: [prompt.text for prompt in read_prompts([{"set": name, "half": side}], Path(), folder)[0]]
            for name in ("memorised", "ordinary")
        }
        for side in HALVES
    }


if __name__ == "__main__":
    print(json.dumps(split(), indent=1))
