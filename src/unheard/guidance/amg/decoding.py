"""How much of a prediction AMG decodes to tell how similar it is, and in how much memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor
from torch.utils.checkpoint import checkpoint

from unheard.backbones.base import trim
from unheard.backbones.pieces import decode_in_pieces
from unheard.errors import InputError
from unheard.guidance.amg.settings import AMG
from unheard.guidance.trajectory import Trajectory

PIECE = 5.0
"""Seconds that are decoded at once where a gradient is made in pieces."""


def decoder_of(settings: AMG, trajectory: Trajectory) -> Callable[[Tensor], Tensor]:
    """Latents [batch, *latent_shape] to the waveform [batch, channels, time] to compare; differentiable.

    The first `settings.window` seconds are what the whole sound would have there: what the decoder sees
    beyond them is decoded as well. In pieces, each is decoded again on the way back (gradient checkpointing,
    Chen et al. 2016, arXiv 1604.06174).

    Raises:
        InputError: a window or pieces are asked for, but every sample of this decoder depends on all frames.
    """
    if not settings.window and not settings.checkpoint:
        return trajectory.decode
    backbone = trajectory.backbone
    reach = backbone.decoder_reach
    if reach is None:
        raise InputError(
            f"{backbone.name} decodes a sound as a whole: leave out the window and the checkpoint of amg "
            "(--window, --checkpoint)"
        )
    seconds = min(settings.window or trajectory.duration, trajectory.duration)
    frames, decode = backbone.frames(seconds), backbone.decode
    if settings.checkpoint:
        decode = partial(
            decode_in_pieces,
            partial(checkpoint, backbone.decode, use_reentrant=False),
            hop_length=backbone.hop_length,
            piece=backbone.frames(min(PIECE, backbone.max_duration)),
            context=reach,
            time_axis=backbone.time_axis,
        )
    if seconds == trajectory.duration:
        return lambda latents: decode(trajectory.trim(latents))
    samples = round(seconds * backbone.sample_rate)

    def decode_beginning(latents: Tensor) -> Tensor:
        beginning = trim(trajectory.trim(latents), frames + reach, backbone.time_axis)
        return decode(beginning)[..., :samples]

    return decode_beginning
