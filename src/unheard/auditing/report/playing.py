"""Sounds as browsers play them: FLAC, which loses nothing, or Opus, which is small."""

from __future__ import annotations

import io

import soundfile
from torch import Tensor

from unheard import audio
from unheard.common.callbacks import raised_afterwards


def encoded(waveform: Tensor, rate: int, compression: float | None = None, channels: int = 2) -> bytes:
    """A sound [channels, time] as browsers play it; lower where it would clip.

    Args:
        waveform, rate: the sound, in hertz.
        compression: None for FLAC of 16 bits and at most 48 kHz; 0 to 1 for Opus.
        channels: at most so many; more become one.
    """
    if waveform.shape[0] > channels:
        waveform = waveform.mean(dim=0, keepdim=True)
    if rate > 48_000 or (compression is not None and rate != 48_000):
        waveform, rate = audio.resample(waveform, rate, 48_000), 48_000
    waveform = waveform / max(1.0, float(waveform.abs().max()))
    file = io.BytesIO()
    samples = waveform.T.numpy()
    with raised_afterwards():
        if compression is None:
            soundfile.write(file, samples, rate, format="FLAC", subtype="PCM_16")
        else:
            soundfile.write(file, samples, rate, format="OGG", subtype="OPUS", compression_level=compression)
    return file.getvalue()
