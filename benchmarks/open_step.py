"""What a step costs in which AMG's gate opens, and the next, in which it was open before: to a plain one.

    OMP_NUM_THREADS=1 python benchmarks/open_step.py    # as large as Stable Audio Open; minutes
    python benchmarks/open_step.py --model tiny --duration 4 --long 4
    OMP_NUM_THREADS=1 python benchmarks/open_step.py --dtype bfloat16 --long 0 --published

Weights are random at the full size, as in `step.py`; on a CPU times are of its processor. The long sound is
compared by a window of 10 s. The published way, with our decoder, needs three graphs at once, which at this
size take more than 24 GiB in single precision.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import torch
from step import Bench, load, published_step

WINDOW = 10.0
"""Seconds of the long sound that are compared."""


def two_steps(bench: Bench, window: float) -> list[float]:
    """Seconds of the step in which the gate opens, and of the next."""
    guided = bench.guided(replace(bench.settings, window=window))
    return [bench.time(lambda: guided(bench.x, bench.sigma)) for _ in range(2)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="full", help="full, tiny, or a folder with an index")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default=None)
    parser.add_argument("--duration", type=float, default=10.0, help="seconds of sound")
    parser.add_argument("--long", type=float, default=47.0, help="seconds of the sound with a window, or 0")
    parser.add_argument("--published", action="store_true", help="time the published way, too")
    parser.set_defaults(batch=1)
    arguments = parser.parse_args()
    bench = load(arguments)
    print(
        f"{arguments.model}, {bench.backbone.device}, {bench.backbone.dtype}, "
        f"{torch.get_num_threads()} threads\n"
    )
    print("| sound | plain, s | opening | open before | published way |\n|---|--:|--:|--:|--:|")
    sounds = [(bench, 0.0)]
    if arguments.long:
        sounds.append((replace(bench, duration=arguments.long), WINDOW))
    for each, window in sounds:
        opening, before = two_steps(each, window)
        denoiser = each.plain()
        plain = each.time(lambda denoiser=denoiser, each=each: denoiser(each.x, each.sigma))
        name = f"{each.duration:g} s" + (f", window of {window:g} s" if window else "")
        head = f"| {name} | {plain:.1f} | {opening / plain:.2f} | {before / plain:.2f} |"
        print(head, end=" ", flush=True)  # the rest takes minutes
        if arguments.published:
            published = each.time(lambda each=each: published_step(each, each.decode))
            print(f"{published / plain:.2f} |", flush=True)
        else:
            print("|", flush=True)


if __name__ == "__main__":
    main()
