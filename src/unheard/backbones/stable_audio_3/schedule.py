"""The times of Stable Audio 3: evenly spaced in the logarithm of the signal-to-noise ratio."""

from __future__ import annotations

import torch
from torch import Tensor

LOGSNR_MIN, LOGSNR_MAX = -6.2, 2.0
"""Of pure noise and of the last step, as the pipelines have them."""


def logsnr_shares(steps: int, start: float = 1.0, shift: float = 1.0) -> Tensor:
    """Shares of noise `[steps]` in float32, to the bit those of diffusers' pipelines and their scheduler.

    `u` runs evenly from `start` to 0 and stands for the share `sigmoid(u (max - min) - max)`, `min` and `max`
    being those of log-SNR. The first share is `start` itself: that much noise is in the latents. From
    less than pure noise the second may therefore lie above the first; so it does in the published code.

    Args:
        steps: denoising steps, at least 1.
        start: the share of noise to begin with, above 0 and at most 1.
        shift: the scheduler's, of every share `t` to `shift t / (1 + (shift - 1) t)`; 1 changes nothing.
    """
    u = torch.linspace(start, 0.0, steps + 1)
    shares = torch.sigmoid(-(LOGSNR_MAX - u * (LOGSNR_MAX - LOGSNR_MIN)))[:-1]
    shares[0] = start
    return shift * shares / (1 + (shift - 1) * shares)
