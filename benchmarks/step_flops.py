"""Floating-point operations of a step, counted: AMG and the published way, both with our decoder.

    OMP_NUM_THREADS=1 python benchmarks/step_flops.py --duration 10     # as large as Stable Audio Open
    OMP_NUM_THREADS=1 python benchmarks/step_flops.py --model tiny --duration 4

Products of matrices and convolutions are counted, as PyTorch's counter has them. What only moves memory is
not, and neither is the encoding of captions. At the full size the model computes nothing (the meta device).
The parts of a step are counted one by one there, and added up as each way calls them. With `tiny` whole
steps are counted beside that, which proves the sums.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import torch
from full_size import full_size_backbone
from step import Bench, full_size_embedder, load, published_step, random_index
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from unheard.diffusion.settings import Sampling
from unheard.guidance.amg.settings import AMG


@dataclass(frozen=True)
class Parts:
    """Operations of one prediction, and of decoding and embedding it; each forward, and back to its input."""

    predict: int
    predict_back: int
    hear: int
    hear_back: int

    @property
    def gradient(self) -> int:
        """What the gradient of a similarity costs besides the prediction that it is of."""
        return self.hear + self.hear_back + self.predict_back

    def ways(self) -> dict[str, int]:
        """Operations of a step. Where the prediction of no prompt drops out, ours does not make it."""
        p = self.predict
        return {
            "plain": 2 * p,
            "AMG, gate shut": 2 * p + self.hear,
            "AMG, open before, one drops out": 2 * p + self.gradient,
            "AMG, open before, all predictions": 3 * p + self.gradient,
            "AMG, opening unexpectedly": 4 * p + self.hear + self.gradient,
            "published way": 3 * p + self.gradient,
        }


def counted(run: Callable[[], Any]) -> int:
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


def forward_and_back(function: Callable[[Tensor], Tensor], source: Tensor) -> tuple[int, int]:
    source = source.detach().requires_grad_()
    made: list[Tensor] = []
    with torch.enable_grad():
        forward = counted(lambda: made.append(function(source)))
    return forward, counted(lambda: torch.autograd.grad(made[0], source, torch.ones_like(made[0])))


def parts_of(bench: Bench) -> Parts:
    predict = forward_and_back(lambda x: bench.denoise(x, bench.sigma, bench.conditional), bench.x)
    decode = forward_and_back(bench.decode, bench.x)
    channels, rate = bench.backbone.audio_channels, bench.backbone.sample_rate
    waveform = torch.rand(bench.batch, channels, round(bench.duration * rate)) - 0.5
    embed = forward_and_back(bench.embed, waveform)
    return Parts(*predict, *map(sum, zip(decode, embed, strict=True)))


def whole_steps(bench: Bench) -> dict[str, int]:
    """The same, of steps as they are."""
    shut, all_needed = (
        replace(bench.settings, lambda_min=2.0, lambda_max=2.0),
        replace(bench.settings, c1=1e-3, c2=1e-3),
    )

    def second(settings: AMG) -> int:
        guided = bench.guided(settings)
        guided(bench.x, bench.sigma)
        return counted(lambda: guided(bench.x, bench.sigma))

    return {
        "plain": counted(lambda: bench.plain()(bench.x, bench.sigma)),
        "AMG, gate shut": counted(lambda: bench.guided(shut)(bench.x, bench.sigma)),
        "AMG, open before, all predictions": second(all_needed),
        "AMG, opening unexpectedly": counted(lambda: bench.guided(all_needed)(bench.x, bench.sigma)),
        "published way": counted(lambda: published_step(bench, bench.decode)),
    }


def bench_without_weights(duration: float) -> Bench:
    """At the full size, with shapes alone."""
    embedder = full_size_embedder(torch.device("cpu"))  # it looks at a sound's samples, and is small
    index = random_index(1, embedder.dimension)
    scale, settings = Sampling().guidance_scale, AMG(lambda_min=-2.0, lambda_max=-2.0)
    # Whether a mask masks anything is asked of its values, which there are none of.
    with patch("transformers.masking_utils._ignore_bidirectional_mask_sdpa", lambda *_: False):
        return Bench(full_size_backbone(), embedder, index, duration, 1, scale, settings)


def rows(parts: Parts, whole: dict[str, int]) -> Iterator[str]:
    ways = parts.ways()
    for name, operations in ways.items():
        told = f"{whole[name] / operations:.3f}" if name in whole else ""
        yield (
            f"| {name} | {operations / 1e12:.3f} | {operations / ways['plain']:.2f} "
            f"| {operations / ways['published way']:.2f} | {told} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="full", help="full, tiny, or a folder with an index")
    parser.add_argument("--duration", type=float, default=10.0, help="seconds of sound")
    parser.set_defaults(batch=1, device="cpu", dtype=None)
    arguments = parser.parse_args()
    full = arguments.model == "full"
    bench = bench_without_weights(arguments.duration) if full else load(arguments)
    print("| step | 10^12 | to plain | to published | counted whole, to the sum |\n|---|--:|--:|--:|--:|")
    print(*rows(parts_of(bench), {} if full else whole_steps(bench)), sep="\n")


if __name__ == "__main__":
    main()
