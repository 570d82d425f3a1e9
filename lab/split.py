"""Which captions and seeds thresholds and weights are chosen on, and which are reported on.

`python -m lab.split` prints both as JSON. Of each dose, single recordings and packs are halved by turns;
so are the captions that the model never saw.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

MODEL = Path("src/unheard/assets/tiny")
FIRST_SEED = {"development": 200, "report": 1000}


def split(folder: Path = MODEL) -> dict[str, dict]:
    """By side: the memorised captions, the ordinary ones, and the first seed."""
    groups: dict[tuple[int, int], list[str]] = defaultdict(list)
    for entry in json.loads((folder / "memorised.json").read_text()):
        groups[entry["repetitions"], len(entry["items"])].append(entry["caption"])
    unseen = json.loads((folder / "prompts.json").read_text())["ordinary"]
    return {
        side: {
            "first_seed": FIRST_SEED[side],
            "memorised": [caption for captions in groups.values() for caption in captions[number::2]],
            "ordinary": [row["caption"] for row in unseen[number::2]],
        }
        for number, side in enumerate(FIRST_SEED)
    }


if __name__ == "__main__":
    print(json.dumps(split(), indent=1))
