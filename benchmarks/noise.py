"""What the noise of a stochastic sampler costs a step, at the size of Stable Audio Open, on the CPU.

    python benchmarks/noise.py --batch 1 --rounds 5

Each kind draws the whole published schedule in every round, taking turns. What counts is processor time, and
of each interval the least, which other work on the machine disturbs least; and their mean is printed.
"One drawing" is torch's of as many normal numbers, which is what noise without a path would cost.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise

import numpy as np
import torch

from unheard.diffusion.brownian import BrownianNoise
from unheard.diffusion.brownian_tree import BrownianTreeNoise
from unheard.diffusion.noise import Noise
from unheard.diffusion.schedules import polyexponential_sigmas

SHAPE = 64, 1024


def seconds(noise: Noise, levels: list[float]) -> list[float]:
    """Of each interval."""
    found = []
    for interval in pairwise(levels):
        start = time.thread_time()
        noise(*interval)
        found.append(time.thread_time() - start)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    levels = polyexponential_sigmas(arguments.steps, 0.3, 500).tolist()[:-1]
    seeds = range(arguments.batch)
    least: dict[str, np.ndarray] = {}
    for _ in range(arguments.rounds):
        kinds: dict[str, Noise] = {
            "torchsde's tree (before)": BrownianTreeNoise(SHAPE, 0.3, 500, seeds),
            "Lévy's construction (now)": BrownianNoise(SHAPE, seeds, levels),
            "one drawing, no path": lambda *_: torch.randn(arguments.batch, *SHAPE),
        }
        for name, noise in kinds.items():
            times = np.array(seconds(noise, levels))
            least[name] = np.minimum(least.get(name, times), times)
    before = least["torchsde's tree (before)"].mean()
    print(f"batch {arguments.batch}, {arguments.steps} steps, {SHAPE}, 1 thread\n")
    print("| noise | ms a step | to before |\n|---|--:|--:|")
    for name, times in least.items():
        print(f"| {name} | {times.mean() * 1e3:.1f} | {times.mean() / before:.2f} |")


if __name__ == "__main__":
    main()
