"""How often an interval of `unheard.common.intervals` holds the share: `python -m benchmarks.intervals`.

Each draw has prompts with shares of their own, of a beta distribution, and sounds of each. `correlation` is
that of two sounds of one prompt. Printed is the part of 1,000 draws whose 95 % interval holds the share: the
interval by prompts, and that of as many independent sounds.
"""

from __future__ import annotations

import numpy as np

from unheard.common.intervals import ClusteredShare, clopper_pearson

DRAWS = 1_000


def held(prompts: int, sounds: int, correlation: float, share: float) -> tuple[float, float]:
    """Parts of the draws, by prompts and of independent sounds."""
    random = np.random.default_rng(0)
    precision = 1 / correlation - 1 if correlation else np.inf
    by_prompts = independent = 0
    for _ in range(DRAWS):
        chances = (
            random.beta(share * precision, (1 - share) * precision, prompts)
            if correlation
            else [share] * prompts
        )
        found = ClusteredShare.of((int(hits), sounds) for hits in random.binomial(sounds, chances))
        low, high = clopper_pearson(found.hits, found.trials)
        by_prompts += found.low <= share <= found.high
        independent += low <= share <= high
    return by_prompts / DRAWS, independent / DRAWS


def main() -> None:
    print("| prompts | sounds of each | correlation | true share | by prompts | of independent sounds |")
    print("|--:|--:|--:|--:|--:|--:|")
    for prompts, sounds in ((15, 8), (9, 16)):
        for correlation in (0.0, 0.3, 0.9):
            for share in (0.05, 0.1, 0.3):
                parts = held(prompts, sounds, correlation, share)
                shown = " | ".join(f"{part:.1%}" for part in parts)
                print(f"| {prompts} | {sounds} | {correlation} | {share} | {shown} |")


if __name__ == "__main__":
    main()
