"""An embedder trained on recorded sound effects: mel spectrogram, eight convolutions, a maximum over time.

The network and weights are those of Ma and Lerch, "Representation Learning for the Automatic Indexing of
Sound Effects Libraries", ISMIR 2022 (CC BY 4.0, see `assets/sound_effects/README.md`). It hears no text, so
it is no `Embedder` for an index. No guidance uses it: what it says of a guided sound is independent.

Batch normalisation is folded into the convolutions (`python -m lab.sound_effects_embedder`), and the
classifiers of its training are left out.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from unheard.audio import peak_normalise, resample
from unheard.backbones.hub import ASSETS
from unheard.errors import InputError

WEIGHTS = ASSETS / "sound_effects" / "model.safetensors"

SAMPLE_RATE = 44_100
FFT, HOP = 2048, 1024
BANDS = 96
LOUDEST = 9.457798957824707
"""Highest log10(10,000 power + 1) in the sounds of its training; the input is divided by it."""
CHANNELS = (1, 64, 128, 256, 512)
DIMENSION = CHANNELS[-1]
WINDOW, WINDOW_HOP = 100, 50
"""Frames embedded at once, and from one window to the next: 2.3 s and 1.2 s."""
POOLED = 8
"""Frames to a step of the last convolutions."""
STEP = POOLED * HOP / SAMPLE_RATE
"""Seconds from one step to the next: 0.19; a step hears 1.6 s."""


class SoundEffectsEmbedder(nn.Module):
    """From waveforms to vectors of `DIMENSION` numbers, 0 or more, of any length; takes no gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(narrow, wide, 3, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(wide, wide, 3, padding=1),
                nn.ReLU(inplace=True),
            )
            for narrow, wide in pairwise(CHANNELS)
        )
        self.eval().requires_grad_(False)

    @classmethod
    def load(cls, weights: Path = WEIGHTS) -> SoundEffectsEmbedder:
        """With weights that `lab.sound_effects_embedder` wrote, in float32."""
        embedder = cls()
        embedder.load_state_dict({name: some.float() for name, some in load_file(weights).items()})
        return embedder

    @torch.inference_mode()
    def forward(self, spectrograms: Tensor) -> Tensor:
        """Spectrograms [batch, frames, BANDS] to what is heard at each step [batch, frames // 8, DIMENSION].

        A window's embedding is the maximum over its steps.
        """
        maps = spectrograms[:, None]
        for number, block in enumerate(self.blocks, start=1):
            maps = block(maps)
            if number < len(self.blocks):
                maps = F.max_pool2d(maps, 2)
        return maps.mean(dim=3).transpose(1, 2)

    def embed_steps(self, waveform: Tensor, sample_rate: int) -> Tensor:
        """One waveform [channels, time] to what is heard every `STEP` seconds [steps, DIMENSION], 1 at least.

        Step i hears what lies around (i + 1/2) * STEP seconds.

        Raises:
            InputError: it has no sample at `SAMPLE_RATE`, or the sample rate is not a positive integer.
        """
        spectrogram = mel_spectrogram(_mono(waveform, sample_rate))
        missing = -len(spectrogram) % POOLED
        steps: Tensor = self(F.pad(spectrogram, (0, 0, 0, missing))[None])[0]
        return steps

    def embed_windows(self, waveform: Tensor, sample_rate: int) -> tuple[Tensor, Tensor]:
        """One waveform [channels, time] to its windows' starts in seconds and their vectors.

        Windows lie as in the authors' package: a sound shorter than one is filled up with silence, and what
        is left at the end of a longer one, less than `WINDOW_HOP` frames, is left out.

        Returns:
            Starts [windows], float64, and vectors [windows, DIMENSION], 0 or more, not of unit length.

        Raises:
            InputError: as `embed_steps`.
        """
        spectrogram = mel_spectrogram(_mono(waveform, sample_rate))
        windows = max(1, (len(spectrogram) - WINDOW) // WINDOW_HOP + 1)
        filled = F.pad(spectrogram, (0, 0, 0, max(0, WINDOW - len(spectrogram))))
        blocks = torch.stack([filled[i * WINDOW_HOP : i * WINDOW_HOP + WINDOW] for i in range(windows)])
        starts = torch.arange(windows, dtype=torch.float64) * WINDOW_HOP * HOP / SAMPLE_RATE
        return starts, torch.cat([self(few).amax(dim=1) for few in torch.split(blocks, 16)])

    def embed_audio(self, waveform: Tensor, sample_rate: int) -> Tensor:
        """Waveforms [batch, channels, time] to unit vectors [batch, DIMENSION]: the mean of their windows'.

        Raises:
            InputError: as `embed_steps`.
        """
        means = [self.embed_windows(some, sample_rate)[1].mean(dim=0) for some in waveform]
        return F.normalize(torch.stack(means), dim=-1)


@lru_cache(maxsize=1)
def bundled() -> SoundEffectsEmbedder:
    """The embedder with the package's weights, read when it is first asked for."""
    return SoundEffectsEmbedder.load()


def _mono(waveform: Tensor, sample_rate: int) -> Tensor:
    """[channels, time] to the mean of the channels [time] at `SAMPLE_RATE`, at peak 1."""
    mono = resample(waveform.detach().float().mean(dim=0), sample_rate, SAMPLE_RATE)
    if not len(mono):
        raise InputError(
            f"{waveform.shape[-1]} samples at {sample_rate} Hz are too short to embed at {SAMPLE_RATE} Hz"
        )
    return peak_normalise(mono[None])[0]


def mel_spectrogram(mono: Tensor) -> Tensor:
    """Waveform [time] at `SAMPLE_RATE` to compressed mel powers [time // HOP + 1, BANDS], 0 and more."""
    window = torch.hann_window(FFT)
    spectrum = torch.stft(mono, FFT, HOP, window=window, pad_mode="constant", return_complex=True)
    mel = (filter_bank() @ spectrum.abs().square()).T
    return (10_000 * mel + 1).log10() / LOUDEST


@lru_cache(maxsize=1)
def filter_bank() -> Tensor:
    """Triangles [BANDS, FFT // 2 + 1] of unit sum, evenly spaced on HTK's mel scale."""
    highest = 2595 * math.log10(1 + SAMPLE_RATE / 2 / 700)
    mels = torch.linspace(0, highest, BANDS + 2, dtype=torch.float64)
    edges = 700 * (10 ** (mels / 2595) - 1)
    frequencies = torch.arange(FFT // 2 + 1, dtype=torch.float64) * SAMPLE_RATE / FFT
    low, middle, high = (edges[start : start + BANDS, None] for start in range(3))
    rising, falling = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
    triangles = torch.minimum(rising, falling).clamp(min=0)
    return (triangles / triangles.sum(dim=1, keepdim=True)).float()
