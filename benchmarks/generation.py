"""What a guided sound costs over a plain one, from prompt to waveform, on the bundled model.

    OMP_NUM_THREADS=1 python -m benchmarks.generation --repeats 3
    OMP_NUM_THREADS=1 python -m benchmarks.generation --batches      # eight sounds at once, to one by one

Four captions of the development side that are memorised and four that are not (`lab/split.py`), a batch each,
without guidance and with the model's own, in turns. Seconds are of processor time, so that other work on the
machine weighs less; the first round, which loads and warms up, does not count. On one thread a batch can only
save what is done once for all of it.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

import unheard
from lab.split import split

COUNT = 4


def at_once(model: unheard.Model, prompts: list[str], repeats: int) -> None:
    """What a sound costs in a batch of all prompts, to what it costs alone."""
    for name, guidance in (("plain", None), ("guided", model.defaults.guidance)):
        seconds: dict[int, list[float]] = {len(prompts): [], 1: []}
        for repeat in range(repeats + 1):
            for batch, spent in seconds.items():
                began = time.process_time()
                model.generate(prompts, duration=4.0, seed=300 + repeat, guidance=guidance, batch=batch)
                spent.append((time.process_time() - began) / len(prompts))
        together, alone = (statistics.median(spent[1:]) for spent in seconds.values())
        print(
            f"{name:7s} alone {alone:.2f} s a sound, {len(prompts)} at once {together:.2f}, "
            f"ratio {together / alone:.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--references", help="recordings to compare with  [default: the model's own]")
    parser.add_argument("--batches", action="store_true", help="compare sizes of the batch, not guidance")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model, side = unheard.load("tiny"), split()["development"]
    if arguments.batches:
        return at_once(model, [*side["memorised"][:COUNT], *side["ordinary"][:COUNT]], arguments.repeats)
    for sort in ("memorised", "ordinary"):
        prompts = side[sort][:COUNT]
        seconds: dict[str, list[float]] = {"plain": [], "guided": []}
        for repeat in range(arguments.repeats + 1):
            for name, guidance in (("plain", None), ("guided", model.defaults.guidance)):
                began = time.process_time()
                model.generate(
                    prompts, duration=4.0, seed=200 + repeat, guidance=guidance, batch=COUNT,
                    references=arguments.references,
                )  # fmt: skip
                seconds[name].append((time.process_time() - began) / COUNT)
        plain, guided = (statistics.median(seconds[name][1:]) for name in ("plain", "guided"))
        print(f"{sort:10s} plain {plain:.2f} s a sound, guided {guided:.2f}, ratio {guided / plain:.2f}")


if __name__ == "__main__":
    main()
