"""The block of an autoencoder that attends in chunks, as in SAME-S; diffusers' own slides a window.

A chunk is so many frames with the tokens of each, and no token attends beyond its chunk. Where chunks are
shifted, the second half of the layers sees them shifted by half of one, so that no border is the same in
all. Positions are counted within a chunk.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unheard.backbones.stable_audio_3.library import SAMETransformerResamplingBlock


class ChunkedResamplingBlock(SAMETransformerResamplingBlock):  # type: ignore[misc]  # diffusers' is untyped
    """A block of `AutoencoderSAME` that attends in chunks.

    Args:
        frames: of a chunk.
        shifted: whether the second half of the layers sees them shifted by half of one; then a chunk has an
            even number of tokens, `frames * (stride + 1)`.
        options: of diffusers' block.
    """

    def __init__(self, frames: int, shifted: bool, **options: Any) -> None:
        super().__init__(**options)
        self.frames, self.shifted = frames, shifted

    def forward(self, x: Tensor) -> Tensor:
        """As diffusers' block: `[batch, in_channels, time]` to `[batch, out_channels, time]`.

        What is no whole number of chunks is filled up with zeros, whose part of the result is left out.
        """
        encodes = self.mode == "encoder"
        frames = -(-x.shape[-1] // self.stride) if encodes else x.shape[-1]
        x = _filled_up(x, self.frames * (self.stride if encodes else 1))
        if encodes:
            x = self.mapping(x)
        old, new = (self.stride, 1) if encodes else (1, self.stride)
        samples, features, _ = x.shape
        given = x.transpose(1, 2).reshape(samples, -1, old, features)
        wanted = self.new_tokens.expand(samples, given.shape[1], new, -1)
        tokens = self._attend(torch.cat([given, wanted], dim=2).flatten(1, 2))
        x = tokens.reshape(samples, -1, old + new, features)[:, :, old:].flatten(1, 2).transpose(1, 2)
        if not encodes:
            x = self.mapping(x)
        return x[..., : frames * new]

    def _attend(self, tokens: Tensor) -> Tensor:
        """All layers over tokens `[batch, tokens, features]`."""
        length, layers = self.frames * (self.stride + 1), list(self.transformers)
        if not self.shifted:
            return _in_chunks(layers, tokens, length)
        half, shift = len(layers) // 2, length // 2
        tokens = _in_chunks(layers[:half], tokens, length)
        tokens = torch.cat([tokens[:, :shift], tokens, tokens[:, -shift:]], dim=1)
        return _in_chunks(layers[half:], tokens, length)[:, shift:-shift]


def reach_of_chunks(frames: int, shifted: bool) -> int:
    """How many latents a latent or its sound is influenced by, on either side, in whole chunks.

    Its own chunk; where they are shifted, another in the second half; and a patch for the convolution.
    """
    return (3 if shifted else 1) * frames


def _filled_up(x: Tensor, multiple: int) -> Tensor:
    return F.pad(x, (0, -x.shape[-1] % multiple))


def _in_chunks(layers: Iterable[nn.Module], tokens: Tensor, length: int) -> Tensor:
    chunks = tokens.reshape(-1, length, tokens.shape[-1])
    for layer in layers:
        chunks = layer(chunks)
    return chunks.reshape(tokens.shape)
