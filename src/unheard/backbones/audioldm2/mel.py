"""The front end of AudioLDM: from a waveform to the log-mel spectrogram that its autoencoder was trained on.

As in the published training code (`mel_spectrogram_train` of haoheliu/AudioLDM-training-finetuning), which is
HiFi-GAN's: frame k is centred on samples k * hop to (k + 1) * hop, as the vocoder gives them back.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from unheard.backbones.audioldm2.library import mel_filter_bank

FFT_SIZE = 1024
FLOOR = 1e-5
PEAK = 0.5
"""Of a recording in the models' training."""


class LogMel:
    """Magnitudes under a periodic Hann window, Slaney's mel filters from 0 Hz on, natural logarithm.

    Args:
        bands: mel filters, up to half of the sample rate.
        sample_rate: of the waveforms.
        hop_length: samples a frame.
        device: where the waveforms will be.
    """

    def __init__(self, bands: int, sample_rate: int, hop_length: int, device: torch.device) -> None:
        self.hop_length = hop_length
        filters = mel_filter_bank(
            FFT_SIZE // 2 + 1, bands, 0.0, sample_rate / 2, sample_rate, norm="slaney", mel_scale="slaney"
        )
        self._filters = torch.tensor(filters, dtype=torch.float32, device=device)
        self._window = torch.hann_window(FFT_SIZE, device=device)

    def __call__(self, waveform: Tensor) -> Tensor:
        """Waveform [batch, frames * hop] in float32 to [batch, frames, bands], at least `log(1e-5)`."""
        margin = (FFT_SIZE - self.hop_length) // 2
        spectrum = torch.stft(
            F.pad(waveform, (margin, margin), mode="reflect"),
            FFT_SIZE,
            self.hop_length,
            window=self._window,
            center=False,
            return_complex=True,
        )
        mel = spectrum.abs().transpose(1, 2) @ self._filters
        return mel.clamp(min=FLOOR).log()


def as_in_training(waveform: Tensor) -> Tensor:
    """Each waveform [..., time] without its mean, and with a peak of one half; silence stays silence."""
    centred = waveform - waveform.mean(dim=-1, keepdim=True)
    return PEAK * centred / (centred.abs().amax(dim=-1, keepdim=True) + 1e-8)
