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


@triton.jit  # type: ignore[untyped-decorator]
def _forward(x_ptr, out_ptr, alpha_ptr, inverse_beta_ptr, channels, time, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    row = tl.program_id(0)
    channel = row % channels
    alpha = tl.load(alpha_ptr + channel).to(tl.float32)
    inverse_beta = tl.load(inverse_beta_ptr + channel).to(tl.float32)
    position = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = position < time
    offset = row.to(tl.int64) * time + position
    x = tl.load(x_ptr + offset, mask=inside, other=0.0).to(tl.float32)
    sine = tl.sin(alpha * x)
    tl.store(out_ptr + offset, x + inverse_beta * sine * sine, mask=inside)


@triton.jit  # type: ignore[untyped-decorator]
def _backward(x_ptr, gradient_ptr, out_ptr, alpha_ptr, inverse_beta_ptr, channels, time, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    row = tl.program_id(0)
    channel = row % channels
    alpha = tl.load(alpha_ptr + channel).to(tl.float32)
    inverse_beta = tl.load(inverse_beta_ptr + channel).to(tl.float32)
    position = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = position < time
    offset = row.to(tl.int64) * time + position
    x = tl.load(x_ptr + offset, mask=inside, other=0.0).to(tl.float32)
    gradient = tl.load(gradient_ptr + offset, mask=inside, other=0.0).to(tl.float32)
    slope = 1.0 + alpha * inverse_beta * tl.sin(2.0 * alpha * x)
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
    row = tl.program_id(0)
    channel = row % channels
    alpha = tl.load(alpha_ptr + channel).to(tl.float32)
    inverse_beta = tl.load(inverse_beta_ptr + channel).to(tl.float32)
    position = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = position < time
    offset = row.to(tl.int64) * time + position
    hidden = tl.load(hidden_ptr + offset, mask=inside, other=0.0).to(tl.float32)
    bypass = tl.load(bypass_ptr + offset, mask=inside, other=0.0).to(tl.float32)
    total = (hidden + bypass).to(total_ptr.dtype.element_ty)
    tl.store(total_ptr + offset, total, mask=inside)
    x = total.to(tl.float32)
    sine = tl.sin(alpha * x)
    tl.store(out_ptr + offset, x + inverse_beta * sine * sine, mask=inside)


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
    row = tl.program_id(0)
    channel = row % channels
    alpha = tl.load(alpha_ptr + channel).to(tl.float32)
    inverse_beta = tl.load(inverse_beta_ptr + channel).to(tl.float32)
    position = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = position < time
    offset = row.to(tl.int64) * time + position
    x = tl.load(total_ptr + offset, mask=inside, other=0.0).to(tl.float32)
    of_total = tl.load(of_total_ptr + offset, mask=inside, other=0.0).to(tl.float32)
    of_activated = tl.load(of_activated_ptr + offset, mask=inside, other=0.0).to(tl.float32)
    slope = 1.0 + alpha * inverse_beta * tl.sin(2.0 * alpha * x)
    tl.store(out_ptr + offset, of_total + of_activated * slope, mask=inside)
