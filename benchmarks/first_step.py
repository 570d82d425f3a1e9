"""Where a flow begins: in pure noise, or at a large sigma: `python -m benchmarks.first_step`.

A rectified flow starts at t = 1, where sigma is infinite. Our coordinates begin there with `PURE_NOISE`,
which is t = 1 to the last digit of float32; the other way is to begin at sigma 500, t = .998. On sounds of
which the best estimate is known in closed form, a mixture of Gaussians, both are sampled by Euler steps from
the same noise and compared with 20,000 steps from pure noise: the root mean square of the difference, over
that of the sounds.
"""

from __future__ import annotations

import torch
from torch import Tensor

from unheard.diffusion.parameterisation import PURE_NOISE
from unheard.diffusion.samplers import sample_euler
from unheard.diffusion.schedules import flow_sigmas

DIMENSION, COMPONENTS, WIDTH = 64, 32, 0.05
FINE = 20_000


def main() -> None:
    generator = torch.Generator().manual_seed(0)
    means = torch.randn(COMPONENTS, DIMENSION, generator=generator, dtype=torch.float64)
    noise = torch.randn(256, DIMENSION, generator=generator, dtype=torch.float64)

    def best(x: Tensor, sigma: Tensor) -> Tensor:
        """E[x0 | x] of the mixture, by component."""
        total = (WIDTH**2 + sigma**2)[:, None]
        # what all components have in common is left out, so that nothing is lost at a sigma of 1e8
        scores = (x @ means.T - (means**2).sum(1) / 2) / total
        weights = torch.softmax(scores, dim=1)
        shrunk = WIDTH**2 / total
        return weights @ means * (1 - shrunk) + shrunk * x

    def ends(shares: Tensor) -> Tensor:
        sigmas = flow_sigmas(shares)
        return sample_euler(best, float(sigmas[0]) * noise, sigmas)

    fine = ends(torch.linspace(1, 0, FINE + 1)[:-1])
    print(f"pure noise is sigma {PURE_NOISE:g}; difference to {FINE:,} steps, of 1")
    print("| steps | from pure noise | from sigma 500 |\n|--:|--:|--:|")
    for steps in (8, 16, 50, 100, 1000):
        off = []
        for top in (1.0, 500 / 501):
            difference = ends(torch.linspace(top, 0, steps + 1)[:-1]) - fine
            off.append(float(difference.square().mean().sqrt() / fine.square().mean().sqrt()))
        print(f"| {steps} | {off[0]:.4f} | {off[1]:.4f} |")


if __name__ == "__main__":
    main()
