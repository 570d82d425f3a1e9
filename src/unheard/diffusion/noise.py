"""The noise of a trajectory: what it begins with, and what stochastic samplers add on the way.

It is drawn on the CPU, sample by sample, so that a seed gives the same sound in any batch and on any device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise

import torch
from torch import Tensor

from unheard.diffusion.brownian import BrownianNoise
from unheard.diffusion.brownian_tree import ALL_LEVELS, BrownianTreeNoise
from unheard.diffusion.settings import Sampling

Noise = Callable[[float, float], Tensor]
"""Unit-variance noise [batch, ...] of the interval between two noise levels."""


def initial_noise(
    shape_of_one: Sequence[int],
    seeds: Sequence[int],
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Unit-variance noise [len(seeds), *shape_of_one], the same for a seed in any batch, on any device."""
    noise = [
        torch.randn(tuple(shape_of_one), generator=torch.Generator().manual_seed(seed), dtype=dtype)
        for seed in seeds
    ]
    return torch.stack(noise).to(device)


def noise_of(
    sampling: Sampling,
    sigmas: Tensor,
    shape_of_one: Sequence[int],
    seeds: Sequence[int],
    device: torch.device | str = "cpu",
) -> Noise:
    """The noise that a stochastic sampler adds, the same for a seed however many steps there are.

    Args:
        sampling: names the kind of noise.
        sigmas: the schedule [steps + 1], falling.
        shape_of_one: shape of one sample, without the batch.
        seeds: one a sample.
        device: where the noise is wanted.
    """
    levels = sigmas.tolist()
    noise: Noise
    if sampling.noise == "levy":
        noise = BrownianNoise(shape_of_one, seeds, levels)
    elif sampling.schedule == "polyexponential":
        noise = BrownianTreeNoise(shape_of_one, sampling.sigma_min, sampling.sigma_max, seeds)
    else:
        noise = BrownianTreeNoise(shape_of_one, *ALL_LEVELS, seeds, torch.float64)
    return DrawnAhead(noise, levels, device)


class DrawnAhead:
    """Noise that is drawn while the network works: the levels are known, so the next interval is too.

    A thread draws one interval ahead of the one that is asked for, and puts it on the device without waiting
    for it. Nothing is drawn until the first is asked for, and none after the last of the schedule.

    Args:
        noise: what is drawn; asked from one thread at a time.
        sigmas: the schedule, falling. Intervals that are not in it are drawn when they are asked for.
        device: where the noise is wanted.
    """

    def __init__(self, noise: Noise, sigmas: Sequence[float], device: torch.device | str = "cpu") -> None:
        self._noise, self._device = noise, torch.device(device)
        intervals = [interval for interval in pairwise(sigmas) if interval[1] > 0]
        self._after = dict(pairwise(intervals))
        self._drawing: dict[tuple[float, float], Future[Tensor]] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="noise")

    def __call__(self, sigma: float, sigma_next: float) -> Tensor:
        """Noise [batch, ...] of the interval between two noise levels, on the device."""
        asked = sigma, sigma_next
        drawn = self._drawing.pop(asked, None) or self._thread.submit(self._draw, *asked)
        if (ahead := self._after.get(asked)) is not None:
            self._drawing[ahead] = self._thread.submit(self._draw, *ahead)
        return drawn.result().to(self._device, non_blocking=True)

    def _draw(self, sigma: float, sigma_next: float) -> Tensor:
        drawn = self._noise(sigma, sigma_next)
        # Only from pinned memory is a copy queued behind the network's work, without waiting for that.
        return drawn.pin_memory() if self._device.type == "cuda" else drawn
