"""Snake activations in one pass: they dominate the cost of training an Oobleck autoencoder on a CPU.

`install()` replaces the forward pass of diffusers' `Snake1d` for the training process; weights and results
are the same. It needs a C compiler, and spends the first steps on compiling.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from diffusers.models.autoencoders import autoencoder_oobleck


@cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """When it is first called, since the compiler takes seconds to be imported."""
    torch._dynamo.config.recompile_limit = 64  # one a layer shape and precision
    return torch.compile(function, dynamic=True)


def _forward(x: torch.Tensor, log_alpha: torch.Tensor, log_beta: torch.Tensor) -> torch.Tensor:
    sine = torch.sin(torch.exp(log_alpha) * x)
    return x + torch.exp(-log_beta) * sine * sine


def _backward(
    gradient: torch.Tensor, x: torch.Tensor, log_alpha: torch.Tensor, log_beta: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    alpha, inverse_beta = torch.exp(log_alpha), torch.exp(-log_beta)
    phase = alpha * x
    double, sine = torch.sin(2 * phase), torch.sin(phase)
    in_x = gradient * (1 + inverse_beta * alpha * double)
    in_alpha = (gradient * inverse_beta * double * phase).float().sum((0, 2), keepdim=True)
    in_beta = -(gradient * inverse_beta * sine * sine).float().sum((0, 2), keepdim=True)
    return in_x, in_alpha.to(log_alpha.dtype), in_beta.to(log_beta.dtype)


class FusedSnake(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, log_alpha, log_beta):  # type: ignore[no-untyped-def, override]
        ctx.save_for_backward(x, log_alpha, log_beta)
        return _compiled(_forward)(x, log_alpha, log_beta)

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def, override]
        return _compiled(_backward)(gradient, *ctx.saved_tensors)


def install() -> None:
    def forward(self: autoencoder_oobleck.Snake1d, x: torch.Tensor) -> torch.Tensor:
        return FusedSnake.apply(x, self.alpha, self.beta)

    autoencoder_oobleck.Snake1d.forward = forward
