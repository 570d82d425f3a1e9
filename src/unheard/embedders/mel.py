"""The front end of CLAP: from a waveform to the log-mel spectrogram that its audio tower was trained on.

Equal to transformers' `ClapFeatureExtractor`, but in torch and differentiable.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from unheard.errors import ModelError

if TYPE_CHECKING:
    from transformers import ClapFeatureExtractor

Padding = Literal["repeatpad", "repeat", "pad"]

MEL_FLOOR = 1e-10


class MelSpectrogram:
    """Power spectrogram under a periodic Hann window, mel filters, decibels.

    Computed in float64, as in transformers: between the partials of a pure tone, float32's rounding would lie
    tens of decibels above the floor. Apple's GPUs have float32 only.

    Args:
        extractor: its settings are taken over: FFT size, hop, filter bank (Slaney's for a model without
            fusion, HTK's for one with it, as in CLAP's training).
        device: where the waveforms will be.
    """

    def __init__(self, extractor: ClapFeatureExtractor, device: torch.device) -> None:
        self.fft_size = int(extractor.fft_window_size)
        self.hop_length = int(extractor.hop_length)
        dtype = torch.float32 if device.type == "mps" else torch.float64
        filters = extractor.mel_filters if extractor.truncation == "fusion" else extractor.mel_filters_slaney
        self._filters = torch.tensor(filters, dtype=dtype, device=device)
        self._window = torch.hann_window(self.fft_size, dtype=dtype, device=device)

    def __call__(self, waveform: Tensor) -> Tensor:
        """Waveform [batch, time] to decibels [batch, frames, mels], -100 at least; differentiable.

        There are time // hop + 1 frames. The result has the waveform's precision, but float32 at least.
        """
        spectrum = torch.stft(
            waveform.to(self._window.dtype),
            self.fft_size,
            self.hop_length,
            window=self._window,
            pad_mode="reflect",
            return_complex=True,
        )
        # Not abs() ** 2, whose gradient at zero is not a number.
        power = spectrum.real.square() + spectrum.imag.square()
        mel = power.transpose(1, 2) @ self._filters
        decibels = 10 * mel.clamp(min=MEL_FLOOR).log10()
        return decibels.to(torch.promote_types(waveform.dtype, torch.float32))


def pad_to_window(waveform: Tensor, window: int, padding: Padding) -> Tensor:
    """Fill a waveform [batch, time] of at most `window` samples up to the window, as CLAP's feature extractor
    does.

    Args:
        waveform: at least one sample long.
        window: samples the result is long.
        padding: "repeatpad" repeats the sound as often as it fits wholly and adds zeros, "repeat" repeats it
            and cuts the last repetition, "pad" adds zeros.
    """
    time = waveform.shape[-1]
    if padding == "repeat":
        waveform = waveform.repeat(1, math.ceil(window / time))[:, :window]
    elif padding == "repeatpad":
        waveform = waveform.repeat(1, window // time)
    return F.pad(waveform, (0, window - waveform.shape[-1]))


def check_padding(padding: str) -> Padding:
    """The padding mode of a feature extractor's configuration.

    Raises:
        ModelError: there is no such mode.
    """
    modes: tuple[Padding, ...] = get_args(Padding)
    for mode in modes:
        if padding == mode:
            return mode
    raise ModelError(f"the feature extractor pads by {padding!r}; known are {', '.join(modes)}")
