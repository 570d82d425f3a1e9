"""Liveliness: how much happens in a sound, against ordinary sounds of its kind.

A sound has three quantities, after it was brought to a peak of 1 and to 16 kHz:

    seconds    in which a frame (25 ms, every 10 ms) is within 30 dB of the loudest one
    onsets     peaks of the spectral flux: how much the log magnitudes rise within 20 ms, mean over bins
    loudness   root mean square over the whole, in decibels below the peak (not weighted as BS.1770 does)

Liveliness is the geometric mean of the three, each divided by its median over ordinary sounds (onsets plus
one, loudness as an amplitude): 1 is as lively as the median one, 0 is silence.

Conventions: higher is livelier, without a bound; a drone is livelier than most in seconds and less so in
onsets. Onsets are picked where the flux is the highest within 30 ms and exceeds its mean from 100 ms before
to 70 ms after by a threshold (Böck, Krebs and Schedl 2012, ISMIR, 49; the flux is Masri's of 1996).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from unheard import audio
from unheard.errors import InputError

SAMPLE_RATE = 16_000
PERIOD = 0.01
HOP = round(PERIOD * SAMPLE_RATE)
FRAME = 400
FFT = 512
LIVELY_DB = 30.0
QUIETEST_DB = -100.0
COMPRESSION = 100.0
"""A magnitude counts as the logarithm of 1 plus so many times its quotient by the highest one."""
RISE = 2
"""Frames over which a rise is taken."""
ABOVE_MEAN = 0.01
"""How far the flux at an onset exceeds its mean; 1 would be all bins rising from nothing to the highest."""
NEIGHBOURS, BEFORE, AFTER = 3, 10, 7
"""Frames beside an onset that are no higher, and those over which the mean is taken."""


@dataclass(frozen=True)
class Activity:
    """What happens in a sound.

    Attributes:
        seconds: within `LIVELY_DB` of the loudest frame; 0 of silence.
        onsets: how many.
        loudness: decibels below the peak, `QUIETEST_DB` of silence.
    """

    seconds: float
    onsets: int
    loudness: float


def activity(waveform: Tensor, sample_rate: int) -> Activity:
    """What happens in a waveform [channels, time].

    Raises:
        InputError: the sample rate is not a positive integer.
    """
    if float((waveform - waveform.mean(dim=-1, keepdim=True)).abs().max()) < audio.SILENCE:
        return Activity(0.0, 0, QUIETEST_DB)
    sound = audio.resample(audio.peak_normalise(waveform.float()), sample_rate, SAMPLE_RATE)
    power = sound.square().mean(dim=0)
    frames = F.avg_pool1d(F.pad(power, (0, FRAME))[None], FRAME, HOP)[0]
    lively = frames > frames.max() * 10 ** (-LIVELY_DB / 10)
    loudness = 10 * float(power.mean().clamp(min=10 ** (QUIETEST_DB / 10)).log10())
    return Activity(float(lively.sum()) * PERIOD, len(onsets(sound)), loudness)


def activity_in(path: str | Path, seconds: float) -> Activity:
    """What happens in the first seconds of a recording.

    Raises:
        InputError: it cannot be read.
    """
    waveform, rate = audio.read(path)
    return activity(waveform[:, : round(seconds * rate)], rate)


def onsets(sound: Tensor) -> np.ndarray:
    """Seconds [onsets] at which something begins in a sound [channels, time] at `SAMPLE_RATE`."""
    flux = _spectral_flux(sound)
    highest = _windows(flux, NEIGHBOURS, NEIGHBOURS).max(axis=1)
    mean = _windows(flux, BEFORE, AFTER).mean(axis=1)
    picked: list[int] = []
    for frame in np.flatnonzero((flux == highest) & (flux >= mean + ABOVE_MEAN)):
        if not picked or frame - picked[-1] > NEIGHBOURS:
            picked.append(int(frame))
    return np.array(picked) * PERIOD


def liveliness(sound: Activity, ordinary: Sequence[Activity]) -> float:
    """How lively a sound is, 1 being the median of ordinary ones, at least 0.

    Raises:
        InputError: there are no ordinary sounds, or most of them are silent.
    """
    if not ordinary:
        raise InputError("liveliness is against ordinary sounds, and there are none: give some")
    medians = np.median([_factors(each) for each in ordinary], axis=0)
    if not medians.all():
        raise InputError("most of the ordinary sounds are silent: give others")
    return float(np.prod(_factors(sound) / medians) ** (1 / 3))


def _factors(sound: Activity) -> np.ndarray:
    """What liveliness multiplies."""
    amplitude = 10 ** (sound.loudness / 20)
    return np.array([sound.seconds, sound.onsets + 1, amplitude])


def _spectral_flux(sound: Tensor) -> np.ndarray:
    """[frames], 0 to 1."""
    window = torch.hann_window(FFT, device=sound.device)
    spectrum = torch.stft(sound, FFT, HOP, window=window, pad_mode="constant", return_complex=True)
    magnitudes = spectrum.abs().square().mean(dim=0).sqrt()  # [bins, frames], over channels
    quotients = magnitudes / magnitudes.max().clamp(min=audio.PEAK_FLOOR)
    level = torch.log1p(COMPRESSION * quotients) / np.log1p(COMPRESSION)
    rise = (level - F.pad(level, (RISE, 0))[:, : level.shape[1]]).clamp(min=0)
    flux: np.ndarray = rise.mean(dim=0).cpu().numpy()
    return flux


def _windows(values: np.ndarray, before: int, after: int) -> np.ndarray:
    """Each value with those around it, [values, before + 1 + after]; the ends go on as they are."""
    padded = np.pad(values, (before, after), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, before + 1 + after)
