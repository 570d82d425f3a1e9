"""What a guided sound costs over a plain one, from prompt to waveform, on the bundled model.

    OMP_NUM_THREADS=1 python -m benchmarks.generation --repeats 3

Four captions of the development side that are memorised and four that are not (`lab/split.py`), a batch each,
without guidance and with the model's own, in turns. Seconds are of processor time, so that other work on the
machine weighs less; the first round, which loads and warms up, does not count.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

import unheard
from lab.split import split

COUNT = 4


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--references", help="recordings to compare with  [default: the model's own]")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model, side = unheard.load("tiny"), split()["development"]
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
