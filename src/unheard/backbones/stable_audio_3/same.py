"""Stable Audio 3's autoencoder SAME in pieces.

Its attention sees a window of so many latents on either side, and diffusers computes it as a matrix of all
pairs: memory grows with the square of the length. Positions only count relatively, so that a piece with all
that its latents can see around it gives what the whole would give.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from unheard.backbones.pieces import decode_in_pieces, encode_in_pieces
from unheard.backbones.stable_audio_3.library import AutoencoderSAME

PIECE = 128
"""Frames at once, 12 s of Stable Audio 3."""


def reach(config: Any) -> int:
    """How many latents a latent or its sound is influenced by, on either side: from the windows alone."""
    frames, hop = 0.0, 1.0
    depths: Sequence[int] = config.encoder_transformer_depths
    for depth, stride in zip(reversed(depths), reversed(config.encoder_strides), strict=True):
        frames += depth * config.sliding_window * hop
        hop /= stride
    return math.ceil(frames)


class PiecewiseSAME:
    """Encoder and decoder in bounded memory; nothing is drawn, and nothing limits a waveform to [-1, 1].

    Args:
        vae: on whose device and in whose dtype it runs.
        context: how many latents a latent or its sound is influenced by on either side; None for what follows
            from the windows.
    """

    def __init__(self, vae: AutoencoderSAME, context: int | None = None) -> None:
        self._vae = vae
        self.reach = reach(vae.config) if context is None else context
        self._options = {"piece": PIECE, "context": self.reach}

    def encode(self, waveform: Tensor) -> Tensor:
        """Waveforms `[batch, channels, time]`, padded with silence to whole frames, to latents in float32."""

        def encode(samples: Tensor) -> Tensor:
            latents: Tensor = self._vae.encode(samples.to(self._vae.device, self._vae.dtype)).latents
            return latents.float()

        return encode_in_pieces(encode, waveform, self._vae.downsampling_ratio, **self._options)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents `[batch, features, frames]` to waveforms in the latents' own dtype; differentiable."""

        def decode(some: Tensor) -> Tensor:
            waveform: Tensor = self._vae.decode(some.to(self._vae.dtype)).sample
            return waveform.to(latents.dtype)

        return decode_in_pieces(decode, latents, self._vae.downsampling_ratio, **self._options)
