"""Long recordings through an autoencoder, in pieces that overlap."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F


def encode_in_pieces(
    encode: Callable[[Tensor], Tensor], waveform: Tensor, hop_length: int, *, piece: int, context: int
) -> Tensor:
    """The latents of a waveform, encoded so that memory does not grow with its length.

    It is padded with silence to whole frames. What is longer than `piece` frames is encoded in pieces, each
    with `context` frames of its surroundings. If the encoder reaches no further, the pieces together are what
    the whole would be, up to rounding.

    Args:
        encode: waveforms [batch, channels, frames * hop_length] to latents [batch, features, frames].
        waveform: [batch, channels, time], at least one sample.
        hop_length: samples a frame.
        piece: frames that are encoded at once.
        context: frames beyond them, on either side.

    Returns:
        Latents [batch, features, frames].
    """
    padded = F.pad(waveform, (0, -waveform.shape[-1] % hop_length))
    frames = padded.shape[-1] // hop_length
    pieces = []
    for first in range(0, frames, piece):
        begin, end = max(first - context, 0), min(first + piece + context, frames)
        latents = encode(padded[..., begin * hop_length : end * hop_length])
        pieces.append(latents[..., first - begin : first - begin + piece])
    return torch.cat(pieces, dim=-1)


def decode_in_pieces(
    decode: Callable[[Tensor], Tensor],
    latents: Tensor,
    hop_length: int,
    *,
    piece: int,
    context: int,
    time_axis: int = -1,
) -> Tensor:
    """The waveform of latents, decoded so that memory does not grow with their length; differentiable.

    The way back of `encode_in_pieces`, with the same arguments.

    Args:
        decode: latents to waveforms [batch, channels, frames * hop_length].
        latents: [batch, ...] with frames along `time_axis`.

    Returns:
        Waveforms [batch, channels, frames * hop_length].
    """
    frames = latents.shape[time_axis]
    pieces = []
    for first in range(0, frames, piece):
        begin, end = max(first - context, 0), min(first + piece + context, frames)
        samples = decode(latents.narrow(time_axis, begin, end - begin))
        pieces.append(samples[..., (first - begin) * hop_length :][..., : piece * hop_length])
    return torch.cat(pieces, dim=-1)
