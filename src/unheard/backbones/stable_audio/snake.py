"""Snake, `x + sin(alpha x)^2 / beta` (Ziyin et al. 2020, arXiv 2006.08195), with a way back that we wrote.

Its passes over memory dominate what Oobleck's decoder costs. On CUDA one kernel reads `x` and writes the
result (`snake_kernels`, Triton), and where `x` is the sum of a residual unit, adds it up as well. Elsewhere,
and where Triton does not run, PyTorch does it in one buffer.
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

    def of_sum(self, hidden: Tensor, bypass: Tensor) -> tuple[Tensor, Tensor]:
        """The sum of two tensors of one shape, and the activation of it; `hidden` may be overwritten."""
        if _fused(hidden):
            total, activated = _snake_of_sum(hidden, bypass, self.alpha, self.inverse_beta)
            return total, activated
        total = hidden.add_(bypass)
        return total, self(total)


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


class _SnakeOfSum(torch.autograd.Function):
    """Sum and activation in one kernel each way; keeps the sum, which is the activation's input."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, bypass: Tensor, alpha: Tensor, inverse_beta: Tensor
    ) -> tuple[Tensor, Tensor]:
        kernels = _fused(hidden)
        assert kernels is not None
        total, activated = kernels.forward_of_sum(hidden, bypass, alpha, inverse_beta)
        ctx.save_for_backward(total, alpha, inverse_beta)
        ctx.set_materialize_grads(False)  # at a block's end nothing goes on from the sum itself
        return total, activated

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, of_total: Tensor | None, of_activated: Tensor
    ) -> tuple[Tensor, Tensor, None, None]:
        total, alpha, inverse_beta = ctx.saved_tensors
        kernels = _fused(total)
        assert kernels is not None
        if of_total is None:
            onward = kernels.backward(of_activated, total, alpha, inverse_beta)
        else:
            onward = kernels.backward_of_sum(of_total, of_activated, total, alpha, inverse_beta)
        return onward, onward, None, None


_snake: Callable[[Tensor, Tensor, Tensor], Tensor] = _Snake.apply
_snake_of_sum: Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]] = _SnakeOfSum.apply
