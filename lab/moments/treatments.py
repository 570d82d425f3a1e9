"""Sounds made anew for training: each takes [time] float32 at 16 kHz, and gives as much.

Where `lab.resyntheses` has few methods with fixed settings, these draw their settings anew each time. Some of
the calibration's own methods are among them, and none of the benchmark's.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lab.alterations import SAMPLE_RATE as FULL_RATE
from lab.alterations import Alteration, at_rate, noise, recode, regenerate, reverberate
from lab.resyntheses import loosened, lowest_opus, sinusoids_and_noise
from unheard.auditing.features import SAMPLE_RATE

SIZES = (512, 1024, 2048)
"""Samples of a window, of which a quarter is the hop."""


def other_phases(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The magnitudes, each with a phase of its own."""
    size = int(rng.choice(SIZES))
    magnitudes = spectrum(sound, size).abs()
    return back(magnitudes * phases(magnitudes.shape, rng), size, len(sound))


def bands_of_noise(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise in 20 to 90 mel bands, perhaps blurred along time, each off by up to some 1.5 dB."""
    size = int(rng.choice(SIZES))
    bands = round(math.exp(rng.uniform(math.log(20), math.log(90))))
    mel = to_mel(spectrum(sound, size).abs(), bands)
    if blur := int(rng.integers(0, 3)):
        mel = F.avg_pool1d(mel[None], 2 * blur + 1, 1, blur, count_include_pad=False)[0]
    off = rng.standard_normal(mel.shape).astype(np.float32) * rng.uniform(0, 0.15)
    magnitudes = from_mel(mel * 10 ** torch.from_numpy(off), size)
    return back(magnitudes * phases(magnitudes.shape, rng), size, len(sound))


def mel_bands(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """24 to 64 mel bands, with the phases of the sound after `other_phases`."""
    size = 1024
    magnitudes = from_mel(to_mel(spectrum(sound, size).abs(), int(rng.integers(24, 65))), size)
    angles = torch.angle(spectrum(other_phases(sound, rng), size))
    return back(torch.polar(magnitudes, angles), size, len(sound))


def steady_tones(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The magnitudes, each bin's phase turning steadily: other microstructure that stays tonal."""
    size = 2048
    magnitudes = spectrum(sound, size).abs()
    bins, frames = magnitudes.shape
    turned = torch.arange(bins)[:, None] * (math.pi / 2) * torch.arange(frames)
    begin = torch.from_numpy(rng.uniform(0, 2 * np.pi, (bins, 1)).astype(np.float32))
    return back(torch.polar(magnitudes, turned + begin), size, len(sound))


def other_colour(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random equaliser of nine points, 2 to 8 dB."""
    size = 1024
    bins = spectrum(sound, size)
    points = torch.from_numpy(rng.standard_normal((1, 1, 9)).astype(np.float32)) * float(rng.uniform(2, 8))
    gains = F.interpolate(points, len(bins), mode="linear")[0, 0]
    return back(bins * 10 ** (gains / 20)[:, None], size, len(sound))


def at_full_rate(alteration: Alteration, sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An alteration of `lab.alterations` or `lab.resyntheses`."""
    altered = alteration(at_rate(sound, SAMPLE_RATE, FULL_RATE), rng)
    return at_rate(np.ascontiguousarray(altered, np.float32), FULL_RATE, SAMPLE_RATE)


def _autoencoder(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return regenerate(sound, rng, float(rng.uniform(0.1, 0.7)))


def _noise(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return noise(sound, rng, float(rng.uniform(10, 30)))


def _room(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return reverberate(sound, rng, float(rng.uniform(0.3, 1.5)))


def _codec(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return recode(sound, rng, float(rng.choice([0.8, 0.98])))


TREATMENTS: tuple[tuple[float, Alteration], ...] = (
    (0.24, bands_of_noise),
    (0.20, other_phases),
    (0.10, mel_bands),
    (0.10, steady_tones),
    (0.08, other_colour),
    (0.07, partial(at_full_rate, sinusoids_and_noise)),
    (0.07, partial(at_full_rate, loosened)),
    (0.04, partial(at_full_rate, _room)),
    (0.03, partial(at_full_rate, lowest_opus)),
    (0.03, partial(at_full_rate, _autoencoder)),
    (0.03, partial(at_full_rate, _noise)),
    (0.01, partial(at_full_rate, _codec)),
)
"""How often each is drawn."""


def drawn(sound: np.ndarray, number: int, rng: np.random.Generator) -> list[np.ndarray]:
    """A sound [time] at 16 kHz, made anew by so many different treatments."""
    shares = np.array([share for share, _ in TREATMENTS])
    chosen = rng.choice(len(TREATMENTS), number, replace=False, p=shares)
    return [TREATMENTS[one][1](sound, rng) for one in chosen]


def spectrum(sound: np.ndarray, size: int) -> Tensor:
    """[time] to complex `[bins, frames]`."""
    waveform, window = torch.from_numpy(sound), torch.hann_window(size)
    return torch.stft(waveform, size, size // 4, window=window, return_complex=True, pad_mode="constant")


def back(bins: Tensor, size: int, length: int) -> np.ndarray:
    """Complex `[bins, frames]` to [time]."""
    sound: np.ndarray = torch.istft(
        bins, size, size // 4, window=torch.hann_window(size), length=length
    ).numpy()
    return sound


def phases(shape: torch.Size, rng: np.random.Generator) -> Tensor:
    """Unit complex numbers of random angles."""
    angles = torch.from_numpy(rng.uniform(0, 2 * np.pi, shape).astype(np.float32))
    return torch.polar(torch.ones(shape), angles)


def to_mel(magnitudes: Tensor, bands: int) -> Tensor:
    """`[bins, frames]` to power `[bands, frames]`."""
    bank = mel_bank(bands, len(magnitudes))
    return (bank / bank.sum(dim=1, keepdim=True) @ magnitudes.square()).clamp(min=1e-12)


def from_mel(mel: Tensor, size: int) -> Tensor:
    """Power `[bands, frames]` to magnitudes `[bins, frames]`, each bin a mean of the bands it lies in."""
    bank = mel_bank(len(mel), size // 2 + 1)
    return ((bank / bank.sum(dim=0, keepdim=True).clamp(min=1e-6)).T @ mel).sqrt()


@lru_cache(maxsize=128)
def mel_bank(bands: int, bins: int) -> Tensor:
    """Triangles `[bands, bins]`, evenly spaced in mel up to half the sampling rate; no band is empty."""
    highest = SAMPLE_RATE / 2
    edges = 700 * (10 ** (torch.linspace(0, 2595 * math.log10(1 + highest / 700), bands + 2) / 2595) - 1)
    hertz = torch.linspace(0, highest, bins)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    bank = torch.minimum((hertz - low) / (centre - low), (high - hertz) / (high - centre)).clamp(min=0)
    return bank + 1e-9 * (1 - (hertz - centre).abs() / highest)
