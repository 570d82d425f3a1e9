"""Snake, `x + sin(alpha x)^2 / beta` (Ziyin et al. 2020, arXiv 2006.08195), with a way back that we wrote.

Its passes over memory dominate what Oobleck's decoder costs. On CUDA one kernel reads `x` and writes the
result (`snake_kernels`, Triton); elsewhere, and where Triton does not run, PyTorch does it in one buffer.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from unheard.backbones.stable_audio.library import Snake1d

logger = logging.getLogger(__name__)


class Snake:
    """diffusers' `Snake1d` with its weights held fixed; differentiable once, in its input alone.

    Args:
        module: its weights are read now, alpha and beta a channel's own.
    """

    def __init__(self, module: Snake1d) -> None:
        alpha, beta = module.alpha.detach(), module.beta.detach()
        self.alpha, beta = (alpha.exp(), beta.exp()) if module.logscale else (alpha, beta)
        self.inverse_beta = (beta + 1e-9).reciprocal()  # as in diffusers

    def __call__(self, x: Tensor) -> Tensor:
        """`x` [batch, channels, time] to a tensor of its shape."""
        return _snake(x, self.alpha, self.inverse_beta)

    def sources(self, first: int, last: int) -> tuple[int, int]:
        """The positions of the input on which outputs `first` to `last` depend: the same."""
        return first, last


@functools.cache
def kernels(device: torch.device) -> ModuleType | None:
    """The fused kernels, if a device runs them; whether it does is tried once."""
    if device.type != "cuda":
        return None
    try:
        from unheard.backbones.stable_audio import snake_kernels

        one = torch.ones(1, 1, 1, device=device)
        snake_kernels.backward(snake_kernels.forward(one, one, one), one, one, one)
    except Exception as error:  # a missing compiler, header or driver: each fails in its own way
        logger.warning("the decoder's activations are not fused, since Triton does not run: %s", error)
        return None
    return snake_kernels


def _fused(x: Tensor) -> ModuleType | None:
    """The kernels, which compute in float32."""
    return None if x.dtype == torch.float64 else kernels(x.device)


class _Snake(torch.autograd.Function):
    """Keeps its input for the way back, and nothing else of its size."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, alpha: Tensor, inverse_beta: Tensor) -> Tensor:
        ctx.save_for_backward(x, alpha, inverse_beta)
        if fused := _fused(x):
            activated: Tensor = fused.forward(x, alpha, inverse_beta)
            return activated
        # In place, since a large tensor's memory costs more than its sines.
        return (alpha * x).sin_().square_().mul_(inverse_beta).add_(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        x, alpha, inverse_beta = ctx.saved_tensors
        if fused := _fused(x):
            return fused.backward(gradient, x, alpha, inverse_beta), None, None
        # d/dx sin^2(alpha x) / beta = alpha sin(2 alpha x) / beta
        slope = (2 * alpha * x).sin_().mul_(alpha * inverse_beta).add_(1)
        return slope.mul_(gradient), None, None


_snake: Callable[[Tensor, Tensor, Tensor], Tensor] = _Snake.apply
