"""The network that listens: instrument by timbre, key by pitch, tempo by onsets, each with its own front end.

Key and tempo are heard by equivariant parts: transposing a sound moves what the pitch part finds along the
octave, playing it faster moves what the onset part finds along the lags, and no key or tempo has weights of
its own.

Shape of every waveform: `[sounds, time]`, mono at `SAMPLE_RATE`, silence after the end of a short one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SAMPLE_RATE = 16_000
WINDOW = 65_536  # samples heard at once: 4.096 s
RANGE = 80.0  # decibels below the loudest that are heard

MELS = 64
SEMITONES = 84  # from A1, seven octaves
LOWEST_PITCH = 55.0  # Hz
BINS_PER_SEMITONE = 3
BANDS = 4  # of onsets
LAGS = 0.05 * 1.02 ** torch.arange(187)  # seconds, 2 % apart: .05 to 2.0
TEMPI = 60.0 / LAGS[(LAGS > 60.0 / 170.0) & (LAGS < 60.0 / 55.0)]  # beats per minute that can be heard
TONICS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
MODES = ("major", "minor")
KEYS = tuple(f"{tonic} {mode}" for tonic in TONICS for mode in MODES)


@dataclass(frozen=True)
class Logits:
    """What is heard: `instruments [sounds, instruments]`, `tempi [sounds, tempi]` at `TEMPI`, `keys
    [sounds, 24]` in the order of `KEYS`, `pitch_classes [sounds, 12]` (whether each sounds) from C on.
    """

    instruments: Tensor
    tempi: Tensor
    keys: Tensor
    pitch_classes: Tensor


def triangles(centres: Tensor, fft_size: int) -> Tensor:
    """Triangular filters at `centres` (Hz, rising), each reaching to its neighbours and to at least one bin
    of the transform beyond its centre: `[bins, centres]`, each of sum 1.
    """
    frequencies = torch.linspace(0, SAMPLE_RATE / 2, fft_size // 2 + 1)[:, None]
    edges = torch.cat([2 * centres[:1] - centres[1:2], centres, 2 * centres[-1:] - centres[-2:-1]])
    least = SAMPLE_RATE / fft_size
    below = (centres - edges[:-2]).clamp(min=least)
    above = (edges[2:] - centres).clamp(min=least)
    offset = frequencies - centres
    filters = (1 - torch.where(offset < 0, -offset / below, offset / above)).clamp(min=0)
    return filters / filters.sum(0)


def mel_centres(count: int, low: float, high: float) -> Tensor:
    """Frequencies in Hz that are equally spaced in mels (O'Shaughnessy 1987)."""
    bounds = [2595 * math.log10(1 + frequency / 700) for frequency in (low, high)]
    return 700 * (10 ** (torch.linspace(bounds[0], bounds[1], count) / 2595) - 1)


class Spectrogram(nn.Module):
    """Decibels below the sound's loudest in each filter, scaled to 0..1: `[sounds, frames, filters]`."""

    window: Tensor
    filters: Tensor

    def __init__(self, fft_size: int, hop: int, centres: Tensor) -> None:
        super().__init__()
        self.fft_size, self.hop = fft_size, hop
        self.register_buffer("window", torch.hann_window(fft_size), persistent=False)
        self.register_buffer("filters", triangles(centres, fft_size), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        spectrum = torch.stft(waveform, self.fft_size, self.hop, window=self.window, return_complex=True)
        power = (spectrum.real.square() + spectrum.imag.square()).transpose(1, 2) @ self.filters
        decibels = 10 * power.clamp(min=1e-10).log10()
        loudest = decibels.amax(dim=(1, 2), keepdim=True)
        scaled: Tensor = (decibels - loudest) / RANGE + 1
        return scaled.clamp(min=0)


def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Convolution of 3 x 3, batch normalisation, rectification."""
    convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


class Timbre(nn.Module):
    """Instruments from a log-mel spectrogram; where in frequency something lies is kept to the end."""

    def __init__(self, instruments: int) -> None:
        super().__init__()
        self.spectrogram = Spectrogram(1024, 512, mel_centres(MELS, 40.0, 7_900.0))
        self.body = nn.Sequential(
            block(1, 24, stride=2), block(24, 48), nn.MaxPool2d(2), block(48, 96), nn.MaxPool2d(2),
            block(96, 128), nn.MaxPool2d(2), block(128, 128),
        )  # fmt: skip
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(2 * 128 * MELS // 16, instruments)

    def forward(self, waveform: Tensor) -> Tensor:
        found = self.body(self.spectrogram(waveform)[:, None])  # [sounds, channels, frames / 16, mels / 16]
        pooled = torch.cat([found.mean(2), found.amax(2)], 1).flatten(1)
        logits: Tensor = self.head(self.dropout(pooled))
        return logits


class Pitch(nn.Module):
    """Keys and pitch classes from a spectrogram of thirds of semitones, folded into one octave."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        steps = torch.arange(SEMITONES * BINS_PER_SEMITONE) - BINS_PER_SEMITONE // 2
        self.spectrogram = Spectrogram(8192, 4096, LOWEST_PITCH * 2 ** (steps / (12 * BINS_PER_SEMITONE)))
        self.body = nn.Sequential(
            nn.Conv2d(1, width, (3, 3), stride=(1, BINS_PER_SEMITONE), padding=(1, 0), bias=False),
            nn.BatchNorm2d(width), nn.ReLU(),
            # One and a half octaves to both sides: overtones are told from notes.
            nn.Conv2d(width, width, (1, 37), padding=(0, 18), bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, (3, 3), padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
        )  # fmt: skip
        self.classes = nn.Sequential(nn.Conv1d(4 * width, 64, 1), nn.ReLU())
        self.present = nn.Conv1d(64, 1, 1)
        self.keys = nn.Sequential(
            nn.Conv1d(64, 64, 12, padding="same", padding_mode="circular"), nn.ReLU(),
            nn.Conv1d(64, len(MODES), 12, padding="same", padding_mode="circular"),
        )  # fmt: skip

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        found = self.body(self.spectrogram(waveform)[:, None])  # [sounds, width, frames, semitones]
        over_time = torch.cat([found.mean(2), found.amax(2)], 1)
        octaves = over_time.reshape(*over_time.shape[:2], SEMITONES // 12, 12)
        folded = torch.cat([octaves.mean(2), octaves.amax(2)], 1)  # [sounds, 4 width, 12], from A on
        classes = self.classes(folded.roll(TONICS.index("A"), 2))
        return self.keys(classes).transpose(1, 2).flatten(1), self.present(classes)[:, 0]


class Onsets(nn.Module):
    """Tempi from the autocorrelation of onset strength, at lags that a tempo change shifts alike."""

    HOP = 128
    lags: Tensor
    tempi: Tensor

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.spectrogram = Spectrogram(512, self.HOP, mel_centres(6 * BANDS, 60.0, 7_500.0))
        self.near = nn.Sequential(
            nn.Conv1d(BANDS + 1, width, 9, padding="same"), nn.ReLU(),
            nn.Conv1d(width, width, 9, padding="same"), nn.ReLU(),
        )  # fmt: skip
        # 35 lags are an octave of tempo.
        self.octaves = nn.Sequential(nn.Conv1d(width, 2 * width, 5, padding="same", dilation=35), nn.ReLU())
        self.wide = nn.Sequential(nn.Conv1d(2 * width, 2 * width, 31, padding="same"), nn.ReLU())
        self.head = nn.Conv1d(2 * width, 1, 1)
        self.register_buffer("lags", LAGS * SAMPLE_RATE / self.HOP, persistent=False)
        at = torch.searchsorted(LAGS, 60.0 / TEMPI)
        self.register_buffer("tempi", at, persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        correlations = self.correlations(self.strength(waveform))
        found = self.wide(self.octaves(self.near(correlations)))
        logits: Tensor = self.head(found)[:, 0, self.tempi]
        return logits

    def strength(self, waveform: Tensor) -> Tensor:
        """How much louder it gets: `[sounds, bands + 1, frames]`, the last of all bands."""
        rise = self.spectrogram(waveform).diff(dim=1).clamp(min=0)
        bands = rise.reshape(*rise.shape[:2], BANDS, -1).mean(3)
        return torch.cat([bands, rise.mean(2, keepdim=True)], 2).transpose(1, 2)

    def correlations(self, strength: Tensor) -> Tensor:
        """Autocorrelations over their value at lag 0, `[sounds, bands + 1, lags]`."""
        centred = strength - strength.mean(2, keepdim=True)
        spectrum = torch.fft.rfft(centred, 2 * centred.shape[2])
        full = torch.fft.irfft(spectrum.abs().square(), 2 * centred.shape[2])
        low = self.lags.floor().long()
        part = self.lags - low
        at_lags = full[..., low] * (1 - part) + full[..., low + 1] * part
        correlations: Tensor = at_lags / full[..., :1].clamp(min=1e-6)
        return correlations


class ListenerNetwork(nn.Module):
    """The three parts beside one another, over waveforms `[sounds, WINDOW]`."""

    def __init__(self, instruments: int) -> None:
        super().__init__()
        self.timbre, self.pitch, self.onsets = Timbre(instruments), Pitch(), Onsets()

    def forward(self, waveform: Tensor) -> Logits:
        keys, pitch_classes = self.pitch(waveform)
        return Logits(self.timbre(waveform), self.onsets(waveform), keys, pitch_classes)


def pad(waveform: Tensor) -> Tensor:
    """Silence after a waveform `[sounds, time]` of at most `WINDOW` samples."""
    return F.pad(waveform, (0, WINDOW - waveform.shape[1]))
