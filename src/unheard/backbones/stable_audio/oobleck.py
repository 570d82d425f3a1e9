"""The decoder of Oobleck (Evans et al. 2024, arXiv 2407.14358) for whoever differentiates through it often.

Guidance needs the gradient of a decoded sound in its latents, at every step, and never one in the weights.
`FrozenDecoder` computes what diffusers' decoder computes, to the bit, but keeps for the way back only the
inputs of the Snake activations, which are computed in one buffer; no input of a convolution is kept, and
weight normalisation is carried out once. The way back through a convolution is itself a forward convolution,
which on a CPU is up to four times as fast as PyTorch's own, for dilated ones above all.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from unheard.backbones.stable_audio.library import OobleckDecoder, OobleckResidualUnit
from unheard.backbones.stable_audio.snake import Snake


class FrozenDecoder:
    """`OobleckDecoder` with its weights held fixed; differentiable once, in the latents alone.

    Args:
        decoder: its weights are read now; later changes to them are not seen.
    """

    @torch.inference_mode(False)  # what is made in inference mode can never be differentiated through
    @torch.no_grad()
    def __init__(self, decoder: OobleckDecoder) -> None:
        self._layers: list[_Layer] = [_Convolution(decoder.conv1)]
        for block in decoder.block:
            units = (block.res_unit1, block.res_unit2, block.res_unit3)
            self._layers += [Snake(block.snake1), _TransposedConvolution(block.conv_t1)]
            self._layers += [_ResidualUnit(unit) for unit in units]
        self._layers += [Snake(decoder.snake1), _Convolution(decoder.conv2)]

    @functools.cached_property
    def reach(self) -> int:
        """How many frames on either side of its own a sample of the waveform depends on."""
        hop_length = math.prod(
            layer.stride for layer in self._layers if isinstance(layer, _TransposedConvolution)
        )
        first, last = 0, hop_length - 1
        for layer in reversed(self._layers):
            first, last = layer.sources(first, last)
        return max(-first, last)

    def __call__(self, latents: Tensor) -> Tensor:
        """Latents [batch, channels, frames] to the waveform [batch, audio_channels, time]."""
        hidden = latents
        for layer in self._layers:
            hidden = layer(hidden)
        return hidden


class _Layer(Protocol):
    def __call__(self, x: Tensor) -> Tensor: ...

    def sources(self, first: int, last: int) -> tuple[int, int]:
        """The positions of the input on which outputs `first` to `last` depend."""


class _Convolution:
    """A convolution of stride 1."""

    def __init__(self, module: nn.Conv1d) -> None:
        self.weight = _weight(module)
        self.bias = None if module.bias is None else module.bias.detach()
        self.dilation, self.padding = module.dilation[0], int(module.padding[0])
        # The way back is the convolution with the mirrored kernel, from outputs to inputs.
        self.mirrored = self.weight.flip(-1).transpose(0, 1).contiguous()
        self.mirrored_padding = self.dilation * (self.weight.shape[-1] - 1) - self.padding

    def __call__(self, x: Tensor) -> Tensor:
        return _linear(x, self)

    def sources(self, first: int, last: int) -> tuple[int, int]:
        return first - self.padding, last + self.mirrored_padding

    def forward(self, x: Tensor) -> Tensor:
        return F.conv1d(x, self.weight, self.bias, 1, self.padding, self.dilation)

    def backward(self, gradient: Tensor) -> Tensor:
        return F.conv1d(gradient, self.mirrored, None, 1, self.mirrored_padding, self.dilation)


class _TransposedConvolution:
    """A transposed convolution; the way back is the convolution that it is the transpose of."""

    def __init__(self, module: nn.ConvTranspose1d) -> None:
        self.weight = _weight(module)
        self.bias = None if module.bias is None else module.bias.detach()
        self.stride, self.padding = module.stride[0], int(module.padding[0])

    def __call__(self, x: Tensor) -> Tensor:
        return _linear(x, self)

    def sources(self, first: int, last: int) -> tuple[int, int]:
        kernel = self.weight.shape[-1]
        return -((kernel - 1 - self.padding - first) // self.stride), (last + self.padding) // self.stride

    def forward(self, x: Tensor) -> Tensor:
        return F.conv_transpose1d(x, self.weight, self.bias, self.stride, self.padding)

    def backward(self, gradient: Tensor) -> Tensor:
        return F.conv1d(gradient, self.weight, None, self.stride, self.padding)


class _ResidualUnit:
    """Two convolutions with their activations around a bypass of the same length."""

    def __init__(self, unit: OobleckResidualUnit) -> None:
        activations, convolutions = (unit.snake1, unit.snake2), (unit.conv1, unit.conv2)
        self.layers: list[_Layer] = []
        for activation, convolution in zip(activations, convolutions, strict=True):
            self.layers += [Snake(activation), _Convolution(convolution)]

    def __call__(self, x: Tensor) -> Tensor:
        hidden = x
        for layer in self.layers:
            hidden = layer(hidden)
        return hidden.add_(x)

    def sources(self, first: int, last: int) -> tuple[int, int]:
        for layer in reversed(self.layers):
            first, last = layer.sources(first, last)
        return first, last


def _weight(module: nn.Conv1d | nn.ConvTranspose1d) -> Tensor:
    """The weight with its normalisation, which PyTorch carries out in a hook before each forward pass."""
    for normalise in module._forward_pre_hooks.values():
        normalise(module, ())
    return module.weight.detach().clone()


class _Linear(torch.autograd.Function):
    """An affine layer that knows its own way back, and keeps nothing of its input for it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: _Convolution | _TransposedConvolution) -> Tensor:
        ctx.layer = layer
        return layer.forward(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.layer.backward(gradient), None


_linear: Callable[[Tensor, _Convolution | _TransposedConvolution], Tensor] = _Linear.apply
