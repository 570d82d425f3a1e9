"""Features of a sound: log-frequency spectra that level, equalisation and codecs hardly change.

At `SAMPLE_RATE`, mono, a frame every `PERIOD` seconds, `BANDS` bands at `PER_SEMITONE` to the semitone, so
that transposing a sound moves its features along the bands. It has three views, all in decibels:

    contrast   a band against the average of the bands around it: where the partials are
    change     a band against itself a moment before: what begins and ends there
    presence   a band, with those beside it, against its average over some seconds: what is there, and when

All are differences of decibels, so a gain, and a gain that varies slowly along frequency, cancel. The first
two are fine: they tell positions and keys apart. The third outlasts what blurs a sound, such as a room or an
autoencoder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from unheard import audio
from unheard.auditing.spectrogram import spectrogram

SAMPLE_RATE = 16_000
FFT = 2048
HOP = 400
PERIOD = HOP / SAMPLE_RATE
PER_SEMITONE = 2
LOWEST = 80.0
BANDS = 150
RANGE_DB = 30.0
"""What lies further below the loudest band within a second does not count: there an autoencoder is noisy."""
AUDIBLE_DB = 45.0
"""A frame whose power lies further below the loudest frame's counts as silence."""
SURROUND = 8
"""Bands on either side that a band is compared with: four semitones."""
MOMENT = 3
"""Frames before, that a frame is compared with."""
BESIDE = 2
"""Bands on either side that count with a band in `presence`: a semitone."""
WHILE = 80
"""Frames before and after, over which a band's average is taken for `presence`: 2 s."""
VIEWS = 3
FINE, BLURRED = slice(0, 2), slice(2, 3)
"""Contrast and change, and presence."""


@dataclass(frozen=True, eq=False)
class Signal:
    """A waveform, and what is computed of it once, whoever asks.

    Attributes:
        waveform: [channels, time], on the CPU.
        sample_rate: in hertz.
    """

    waveform: Tensor
    sample_rate: int

    @cached_property
    def mono(self) -> Tensor:
        """The mean of the channels [time] at `SAMPLE_RATE`; InputError as `features`."""
        return _mono(self.waveform, self.sample_rate)

    @cached_property
    def features(self) -> Tensor:
        """[frames, VIEWS, BANDS]; frame i is centred at i * PERIOD seconds.

        The mean square over the bands of a fully audible frame is around 1; a silent frame is all zeros.

        Raises:
            InputError: the sample rate is not a positive integer.
        """
        return _features(self.mono)

    @cached_property
    def audible(self) -> np.ndarray:
        """Which frames [frames] are not silent: within `AUDIBLE_DB` of the loudest."""
        return _audible(self.mono).numpy()

    def once(self, make: Callable[[Signal], Tensor]) -> Tensor:
        """What a function makes of the signal; it is asked once, whoever wants it."""
        if make not in self._made:
            self._made[make] = make(self)
        return self._made[make]

    @cached_property
    def _made(self) -> dict[Callable[[Signal], Tensor], Tensor]:
        return {}


def _features(mono: Tensor) -> Tensor:
    """`Signal.features` of a sound [time] at `SAMPLE_RATE`."""
    if mono.shape[-1] < FFT:
        return torch.zeros(0, VIEWS, BANDS)
    power = spectrogram(mono, FFT, HOP, lambda magnitudes: filter_bank() @ magnitudes.square())
    decibels = 10 * torch.log10(power.clamp(min=1e-12))  # [bands, frames]
    loudest = decibels.amax(dim=0, keepdim=True)[None]
    reach = round(1.0 / PERIOD)
    ceiling = F.max_pool1d(loudest, 2 * reach + 1, stride=1, padding=reach)[0]
    ceiling = ceiling.clamp(min=float(decibels.max()) - 40)
    level = (decibels - ceiling + RANGE_DB).clamp(min=0) / RANGE_DB  # 0 to 1
    around = F.avg_pool1d(
        level.T[:, None], 2 * SURROUND + 1, stride=1, padding=SURROUND, count_include_pad=False
    )[:, 0].T
    contrast = level - around
    # nothing begins at the beginning of a file
    before = F.pad(level, (MOMENT, 0), mode="replicate")[:, : level.shape[1]]
    change = level - before
    wide = F.avg_pool1d(level.T[:, None], 2 * BESIDE + 1, 1, BESIDE, count_include_pad=False)[:, 0].T
    presence = wide - F.avg_pool1d(wide[None], 2 * WHILE + 1, 1, WHILE, count_include_pad=False)[0]
    presence = presence * (level.amax(dim=0) > 0)  # a silent frame has none
    return torch.stack([contrast, change, presence]).permute(2, 0, 1).contiguous()


def _audible(mono: Tensor) -> Tensor:
    """`Signal.audible` of a sound [time] at `SAMPLE_RATE`."""
    if mono.shape[-1] < FFT:
        return torch.zeros(0, dtype=torch.bool)
    power = F.avg_pool1d(mono.square()[None], HOP, stride=HOP, padding=HOP // 2)[0]
    power = F.pad(power, (0, 1))[: mono.shape[-1] // HOP + 1]
    return power > power.max() * 10 ** (-AUDIBLE_DB / 10)


def _mono(waveform: Tensor, sample_rate: int) -> Tensor:
    """[channels, time] to one [time] at `SAMPLE_RATE` (`audio.to_mono`), without its constant part."""
    mono = audio.resample(audio.to_mono(waveform.float()), sample_rate, SAMPLE_RATE)
    return mono - mono.mean() if len(mono) else mono


@lru_cache(maxsize=1)
def filter_bank() -> Tensor:
    """Triangles [BANDS, FFT // 2 + 1], a band to a `PER_SEMITONE`th of a semitone, of unit sum."""
    centres = LOWEST * 2 ** (torch.arange(-1, BANDS + 1) / (12 * PER_SEMITONE))
    bins = torch.arange(FFT // 2 + 1) * SAMPLE_RATE / FFT
    width = torch.maximum((centres[2:] - centres[:-2]) / 2, torch.tensor(SAMPLE_RATE / FFT))
    bank = (1 - (bins - centres[1:-1, None]).abs() / width[:, None]).clamp(min=0)
    return bank / bank.sum(dim=1, keepdim=True)
