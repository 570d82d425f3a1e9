"""Snake and its way back as Triton kernels: each value is read once, and computed in float32.

Imported only where a CUDA device is: Triton comes with PyTorch's builds for CUDA. With `TRITON_INTERPRET=1`
in the environment they run, slowly, on a CPU.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024
"""Values of a channel that one program computes."""


def forward(x: Tensor, alpha: Tensor, inverse_beta: Tensor) -> Tensor:
    """`x + inverse_beta sin(alpha x)^2`.

    Args:
        x: [batch, channels, time].
        alpha, inverse_beta: [1, channels, 1].
    """
    x = x.contiguous()
    activated = torch.empty_like(x)
    _launch(_forward, x, alpha, inverse_beta, x, activated)
    return activated


def backward(gradient: Tensor, x: Tensor, alpha: Tensor, inverse_beta: Tensor) -> Tensor:
    """`gradient (1 + alpha inverse_beta sin(2 alpha x))`, the gradient in `x`; shapes as in `forward`."""
    x, gradient = x.contiguous(), gradient.contiguous()
    onward = torch.empty_like(x)
    _launch(_backward, x, alpha, inverse_beta, x, gradient, onward)
    return onward


def forward_of_sum(
    hidden: Tensor, bypass: Tensor, alpha: Tensor, inverse_beta: Tensor
) -> tuple[Tensor, Tensor]:
    """The sum of two tensors, and `forward` of it as it is rounded to their format."""
    hidden, bypass = hidden.contiguous(), bypass.contiguous()
    total, activated = torch.empty_like(hidden), torch.empty_like(hidden)
    _launch(_forward_of_sum, hidden, alpha, inverse_beta, hidden, bypass, total, activated)
    return total, activated


def backward_of_sum(
    of_total: Tensor, of_activated: Tensor, total: Tensor, alpha: Tensor, inverse_beta: Tensor
) -> Tensor:
    """The gradient in either addend, from those in what `forward_of_sum` gives."""
    of_total, of_activated = of_total.contiguous(), of_activated.contiguous()
    onward = torch.empty_like(total)
    _launch(_backward_of_sum, total, alpha, inverse_beta, total, of_total, of_activated, onward)
    return onward


def _launch(kernel: Any, x: Tensor, alpha: Tensor, inverse_beta: Tensor, *pointers: Tensor) -> None:
    batch, channels, time = x.shape
    if not x.numel():
        return
    # Programs along the first axis may be any number; along the second, 65,535.
    grid = (batch * channels, triton.cdiv(time, BLOCK))
    # Triton launches on the current device.
    with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]
        kernel[grid](*pointers, alpha.contiguous(), inverse_beta.contiguous(), channels, time, BLOCK=BLOCK)


@triton.jit
def _channel(alpha_ptr, inverse_beta_ptr, channels):  # type: ignore[no-untyped-def]
    """The weights of the program's channel."""
    channel = tl.program_id(0) % channels
    return tl.load(alpha_ptr + channel).to(tl.float32), tl.load(inverse_beta_ptr + channel).to(tl.float32)


@triton.jit  # type: ignore[untyped-decorator]
def _places(time, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """Where the program's values lie, and which of them there are."""
    position = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    return tl.program_id(0).to(tl.int64) * time + position, position < time


@triton.jit
def _read(pointer, offset, inside):  # type: ignore[no-untyped-def]
    return tl.load(pointer + offset, mask=inside, other=0.0).to(tl.float32)


@triton.jit
def _snake(x, alpha, inverse_beta):  # type: ignore[no-untyped-def]
    sine = tl.sin(alpha * x)
    return x + inverse_beta * sine * sine


@triton.jit
def _slope(x, alpha, inverse_beta):  # type: ignore[no-untyped-def]
    return 1.0 + alpha * inverse_beta * tl.sin(2.0 * alpha * x)


@triton.jit  # type: ignore[untyped-decorator]
def _forward(x_ptr, out_ptr, alpha_ptr, inverse_beta_ptr, channels, time, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    alpha, inverse_beta = _channel(alpha_ptr, inverse_beta_ptr, channels)
    offset, inside = _places(time, BLOCK)
    x = _read(x_ptr, offset, inside)
    tl.store(out_ptr + offset, _snake(x, alpha, inverse_beta), mask=inside)


@triton.jit  # type: ignore[untyped-decorator]
def _backward(x_ptr, gradient_ptr, out_ptr, alpha_ptr, inverse_beta_ptr, channels, time, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    alpha, inverse_beta = _channel(alpha_ptr, inverse_beta_ptr, channels)
    offset, inside = _places(time, BLOCK)
    gradient = _read(gradient_ptr, offset, inside)
    slope = _slope(_read(x_ptr, offset, inside), alpha, inverse_beta)
    tl.store(out_ptr + offset, gradient * slope, mask=inside)


@triton.jit  # type: ignore[untyped-decorator]
def _forward_of_sum(  # type: ignore[no-untyped-def]
    hidden_ptr,
    bypass_ptr,
    total_ptr,
    out_ptr,
    alpha_ptr,
    inverse_beta_ptr,
    channels,
    time,
    BLOCK: tl.constexpr,
):
    alpha, inverse_beta = _channel(alpha_ptr, inverse_beta_ptr, channels)
    offset, inside = _places(time, BLOCK)
    total = _read(hidden_ptr, offset, inside) + _read(bypass_ptr, offset, inside)
    total = total.to(total_ptr.dtype.element_ty)
    tl.store(total_ptr + offset, total, mask=inside)
    tl.store(out_ptr + offset, _snake(total.to(tl.float32), alpha, inverse_beta), mask=inside)


@triton.jit  # type: ignore[untyped-decorator]
def _backward_of_sum(  # type: ignore[no-untyped-def]
    total_ptr,
    of_total_ptr,
    of_activated_ptr,
    out_ptr,
    alpha_ptr,
    inverse_beta_ptr,
    channels,
    time,
    BLOCK: tl.constexpr,
):
    alpha, inverse_beta = _channel(alpha_ptr, inverse_beta_ptr, channels)
    offset, inside = _places(time, BLOCK)
    of_total, of_activated = _read(of_total_ptr, offset, inside), _read(of_activated_ptr, offset, inside)
    slope = _slope(_read(total_ptr, offset, inside), alpha, inverse_beta)
    tl.store(out_ptr + offset, of_total + of_activated * slope, mask=inside)
