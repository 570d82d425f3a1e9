"""What happens to a copy on its way: alterations at three strengths each, for calibration and benchmark.

An alteration takes `[time]` float32 at `SAMPLE_RATE` (and a random generator), and gives the altered sound.
Effects are pedalboard's (Rubber Band for pitch and tempo, LAME for MP3), codecs libsndfile's; what a model
replays has passed through its autoencoder, which is an alteration too.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
import pedalboard
import soundfile
import torch
from diffusers import AutoencoderOobleck
from scipy.signal import butter, fftconvolve, sosfilt

from unheard import audio
from unheard.backbones.hub import ASSETS

SAMPLE_RATE = 44_100

Alteration = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def level(sound: np.ndarray, rng: np.random.Generator, decibels: float) -> np.ndarray:
    """Louder is clipped, as a file would be."""
    return np.clip(sound * 10 ** (decibels / 20), -1.0, 1.0)


def equalise(sound: np.ndarray, rng: np.random.Generator, decibels: float) -> np.ndarray:
    """Low shelf, two peaks and high shelf, each up or down by up to `decibels`, half of it at least."""
    gains = rng.uniform(0.5, 1.0, 4) * decibels * rng.choice((-1, 1), 4)
    board = pedalboard.Pedalboard(
        [
            pedalboard.LowShelfFilter(200, gains[0]),
            pedalboard.PeakFilter(float(rng.uniform(300, 1200)), gains[1], 1.0),
            pedalboard.PeakFilter(float(rng.uniform(1200, 4000)), gains[2], 1.0),
            pedalboard.HighShelfFilter(4000, gains[3]),
        ]
    )
    return peak_one(board(sound, SAMPLE_RATE))


def noise(sound: np.ndarray, rng: np.random.Generator, decibels: float) -> np.ndarray:
    """Pink or white noise, `decibels` below the sound's mean power."""
    white = rng.standard_normal(len(sound))
    if rng.random() < 0.5:
        spectrum = np.fft.rfft(white)
        white = np.fft.irfft(spectrum / np.sqrt(np.arange(len(spectrum)) + 1.0), len(sound))
    gain = np.sqrt(np.mean(sound**2) / np.mean(white**2)) * 10 ** (-decibels / 20)
    return peak_one(sound + gain * white)


def reverberate(sound: np.ndarray, rng: np.random.Generator, seconds: float) -> np.ndarray:
    """A room of decaying noise: `seconds` to -60 dB, as much energy as half the direct sound a second.

    The tail after the sound's end is cut.
    """
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    room = rng.standard_normal(len(time)) * 10 ** (-3 * time / seconds)
    room *= np.sqrt(0.5 * seconds / np.sum(room**2))
    room[0] += 1.0
    return peak_one(fftconvolve(sound, room)[: len(sound)])


def telephone(sound: np.ndarray, rng: np.random.Generator, low: float, high: float) -> np.ndarray:
    """What lies between two frequencies, in hertz; a telephone lets 300 to 3,400 Hz through."""
    band = butter(6, (low, high), "bandpass", fs=SAMPLE_RATE, output="sos")
    return peak_one(sosfilt(band, sound))


def widen(sound: np.ndarray, rng: np.random.Generator, milliseconds: float) -> np.ndarray:
    """Spread between two channels, one of them late, and heard in mono again: a comb."""
    late = round(milliseconds * rng.uniform(0.8, 1.2) / 1000 * SAMPLE_RATE)
    return peak_one(sound + np.concatenate([np.zeros(late, np.float32), sound[:-late]]))


def under(sound: np.ndarray, rng: np.random.Generator, host: np.ndarray, decibels: float) -> np.ndarray:
    """Under other music for as long as it lasts, at `decibels` relative to that music's mean power."""
    start = rng.integers(0, max(1, len(host) - len(sound) + 1))
    music = np.resize(host[start : start + len(sound)], len(sound))
    gain = 10 ** (decibels / 20) * np.sqrt((np.mean(music**2) + 1e-9) / (np.mean(sound**2) + 1e-9))
    return peak_one(music + gain * sound)


def passage(sound: np.ndarray, rng: np.random.Generator, seconds: float) -> np.ndarray:
    """So many seconds alone, from anywhere in the sound."""
    length = min(round(seconds * SAMPLE_RATE), len(sound))
    start = rng.integers(0, len(sound) - length + 1)
    return peak_one(sound[start : start + length])


def mp3(sound: np.ndarray, rng: np.random.Generator, harshness: float) -> np.ndarray:
    """MP3 at `compression_level` `harshness`: 0 keeps most, near 1 is the lowest bit rate."""
    return coded(sound, "MP3", "MPEG_LAYER_III", harshness)


def opus(sound: np.ndarray, rng: np.random.Generator, harshness: float) -> np.ndarray:
    """Opus at `compression_level` `harshness`."""
    return coded(sound, "OGG", "OPUS", harshness)


def recode(sound: np.ndarray, rng: np.random.Generator, harshness: float) -> np.ndarray:
    """MP3, Vorbis or Opus at `compression_level` `harshness`."""
    container, codec = (("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS"), ("OGG", "OPUS"))[rng.integers(3)]
    return coded(sound, container, codec, harshness)


def coded(sound: np.ndarray, container: str, codec: str, harshness: float) -> np.ndarray:
    """Through one of libsndfile's codecs and back."""
    rate = 48_000 if codec == "OPUS" else SAMPLE_RATE
    file = io.BytesIO()
    sent = at_rate(sound, SAMPLE_RATE, rate)
    soundfile.write(file, sent, rate, format=container, subtype=codec, compression_level=harshness)
    file.seek(0)
    received, rate = soundfile.read(file, dtype="float32")
    return at_rate(received, rate, SAMPLE_RATE)[: len(sound)]


@torch.no_grad()
def regenerate(sound: np.ndarray, rng: np.random.Generator, deviation: float) -> np.ndarray:
    """Through the bundled model's autoencoder, as what a diffusion model replays is: 16 kHz, one channel.

    Latents are off by noise of `deviation` times their own deviation: no replay is exact.
    """
    vae = autoencoder()
    rate = vae.config.sampling_rate
    resampled = torch.from_numpy(at_rate(peak_one(sound), SAMPLE_RATE, rate))
    padded = torch.nn.functional.pad(resampled, (0, -len(resampled) % vae.hop_length))
    latents = vae.encode(padded[None, None]).latent_dist.mean
    noise = torch.from_numpy(rng.standard_normal(latents.shape, dtype=np.float32))
    replayed = vae.decode(latents + deviation * latents.std() * noise).sample[0, 0, : len(resampled)]
    return peak_one(np.resize(at_rate(replayed.numpy(), rate, SAMPLE_RATE), len(sound)))


@lru_cache(maxsize=1)
def autoencoder() -> AutoencoderOobleck:
    return AutoencoderOobleck.from_pretrained(ASSETS / "tiny" / "vae", torch_dtype=torch.float32).eval()


def transpose(sound: np.ndarray, rng: np.random.Generator, semitones: float) -> np.ndarray:
    """Up or down, at the same tempo."""
    board = pedalboard.Pedalboard([pedalboard.PitchShift(float(semitones * rng.choice((-1, 1))))])
    return board(sound, SAMPLE_RATE)


def change_tempo(sound: np.ndarray, rng: np.random.Generator, percent: float) -> np.ndarray:
    """Faster or slower, at the same pitch."""
    factor = 1 + percent / 100 * rng.choice((-1, 1))
    return pedalboard.time_stretch(sound, SAMPLE_RATE, stretch_factor=factor)[0]


def shift(sound: np.ndarray, rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Begins later, in silence, or earlier; as long as before."""
    samples = round(seconds * SAMPLE_RATE * rng.uniform(0.8, 1.0))
    samples = min(samples, len(sound) // 2)
    quiet = np.zeros(samples, np.float32)
    parts = (quiet, sound[:-samples]) if rng.random() < 0.5 else (sound[samples:], quiet)
    return np.concatenate(parts)


def loop(sound: np.ndarray, rng: np.random.Generator, share: float) -> np.ndarray:
    """A passage of `share` of the sound, over and over, as long as the sound was."""
    length = round(len(sound) * share)
    start = rng.integers(0, len(sound) - length + 1)
    return np.resize(sound[start : start + length], len(sound))


def insert(sound: np.ndarray, rng: np.random.Generator, host: np.ndarray, share: float) -> np.ndarray:
    """A passage of `sound` that fills `share` of the host's length, put anywhere into it with short fades."""
    length = min(round(len(host) * share), len(sound))
    start = rng.integers(0, len(sound) - length + 1)
    passage = sound[start : start + length].copy()
    at = rng.integers(0, len(host) - length + 1)
    fade = np.linspace(0.0, 1.0, round(0.01 * SAMPLE_RATE), dtype=np.float32)
    passage[: len(fade)] *= fade
    passage[-len(fade) :] *= fade[::-1]
    passage *= np.sqrt((np.mean(host**2) + 1e-9) / (np.mean(passage**2) + 1e-9))
    mixed = host.copy()
    mixed[at : at + length] = passage
    return peak_one(mixed)


def peak_one(sound: np.ndarray) -> np.ndarray:
    return (sound / max(float(np.abs(sound).max()), 1e-6)).astype(np.float32)


def at_rate(sound: np.ndarray, old: int, new: int) -> np.ndarray:
    return audio.resample(torch.from_numpy(np.asarray(sound, np.float32)), old, new).numpy()


def each(function: Callable[..., np.ndarray], *settings: float | tuple[float, ...]) -> tuple[Alteration, ...]:
    """The alteration at each of its settings."""
    tuples = (setting if isinstance(setting, tuple) else (setting,) for setting in settings)
    return tuple(partial(_call, function, setting) for setting in tuples)


def _call(
    function: Callable[..., np.ndarray],
    setting: tuple[float, ...],
    sound: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    return function(sound, rng, *setting)


ALTERATIONS: dict[str, tuple[Alteration, ...]] = {
    "time shift": each(shift, 0.5, 1.5, 3.0),
    "level": each(level, -6.0, -24.0, 6.0),
    "equaliser": each(equalise, 4.0, 8.0, 12.0),
    "width": each(widen, 3.0, 8.0, 20.0),
    "telephone band": each(telephone, (150.0, 7000.0), (300.0, 3400.0), (500.0, 2000.0)),
    "noise": each(noise, 30.0, 20.0, 10.0),
    "reverberation": each(reverberate, 0.3, 0.8, 2.0),
    "lossy coding": each(recode, 0.3, 0.8, 0.98),
    "autoencoder": each(regenerate, 0.0, 0.2, 0.5),
    "pitch": each(transpose, 0.5, 1.0, 2.0),
    "tempo": each(change_tempo, 2.0, 5.0, 8.0),
    "loop": each(loop, 0.5, 0.35, 0.2),
}
"""By name, from light to strong; what the numbers mean stands at each function."""
