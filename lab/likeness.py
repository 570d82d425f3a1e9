"""How alike two sounds are: log-mel correlation at the best time shift, a measure that no network learned.

It counts copies in the laboratory's tables. It is not the guide, and nothing is optimised against it.
"""

from __future__ import annotations

import numpy as np
import torch
from transformers.audio_utils import mel_filter_bank

SAMPLE_RATE = 16_000
FFT, HOP, BANDS = 1024, 256, 64
# What is further below the sound's peak counts as silence: an autoencoder's noise floor must not count.
RANGE_DB = 30.0


def log_mel(waveforms: torch.Tensor, range_db: float = RANGE_DB) -> torch.Tensor:
    """`[batch, time]` at 16 kHz to `[batch, bands, frames]`: decibels, 0 for silence to 1 for the peak."""
    window = torch.hann_window(FFT, device=waveforms.device)
    spectrum = torch.stft(waveforms.float(), FFT, HOP, window=window, return_complex=True).abs().square()
    bank = torch.tensor(
        mel_filter_bank(FFT // 2 + 1, BANDS, 40.0, 8000.0, SAMPLE_RATE, norm="slaney", mel_scale="slaney"),
        dtype=torch.float32,
        device=waveforms.device,
    )
    power = torch.einsum("bft,fm->bmt", spectrum, bank)
    decibels = 10 * torch.log10(power.clamp(min=1e-12))
    peak = decibels.amax(dim=(1, 2), keepdim=True)
    return ((decibels - peak) / range_db).clamp(min=-1.0) + 1.0


def correlations(queries: torch.Tensor, references: torch.Tensor, max_shift: float = 4.0) -> np.ndarray:
    """Highest correlation over time shifts, `[queries, references]`, from `log_mel` outputs of equal length.

    Every band's own mean over time is taken out first, so that what is compared is when and where energy
    moves, not the colour that all sounds of one instrument share. Both are then divided by their norms, and
    shifted by up to `max_shift` seconds either way; what is shifted out is lost, and zeros come in.
    """
    q, r = centred(queries), centred(references)
    frames = q.shape[-1]
    size = 2 * frames
    reach = min(frames - 1, round(max_shift * SAMPLE_RATE / HOP))
    # one matrix product a frequency: [frequency, queries, bands] @ [frequency, bands, references]
    against = torch.fft.rfft(r, size).conj().permute(2, 1, 0).contiguous()
    best = []
    for some in torch.fft.rfft(q, size).permute(2, 0, 1).split(8, dim=1):
        cross = torch.fft.irfft(torch.bmm(some.contiguous(), against), size, dim=0)
        best.append(torch.cat([cross[: reach + 1], cross[size - reach :]]).amax(dim=0))
    return torch.cat(best).cpu().numpy()


def centred(features: torch.Tensor) -> torch.Tensor:
    """`[batch, bands, frames]` without each band's mean over time, and of unit length."""
    centred = features - features.mean(dim=2, keepdim=True)
    return centred / centred.flatten(1).norm(dim=1).clamp(min=1e-6)[:, None, None]
