"""Sounds made anew with the same events at the same times, as a model's replay is: other microstructure.

Two sets that share no method: from `CALIBRATION` the audit learns how a regenerated copy looks, and with
`BENCHMARK` it is measured. Each takes `[time]` float32 at `SAMPLE_RATE` and a random generator, and gives a
sound as long, nothing of which is moved by more than 20 ms. `python -m lab.resyntheses --real build/real`
measures how much of a sound each keeps.

| set | method | after |
|---|---|---|
| calibration | `lab.alterations.regenerate`, latents off by noise | the bundled autoencoder |
|  | `linear_autoencoder` | principal components of patches of spectrogram |
|  | `mel_inversion` of 64 and 40 bands | Griffin and Lim 1984 |
|  | `sinusoids_and_noise` | Serra and Smith 1990 |
|  | `lowest_opus`, 6 kbit/s | Opus |
|  | `loosened`, events off in time and gain | |
| benchmark | `world` | Morise, Yokomori and Ozawa 2016 |
|  | `noise_vocoder` | Shannon and others 1995, on bands as wide as the ear's |
|  | `single_pass_mel_inversion` of 52 bands | Beauregard, Harish and Wyse 2015 |
|  | `quantised_autoencoder`, 8 codes for each 32 ms | van den Oord and others 2017 |
"""

from __future__ import annotations

import argparse
import importlib.machinery
import importlib.util
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from scipy.cluster.vq import kmeans2, vq
from scipy.ndimage import median_filter
from scipy.signal import butter, find_peaks, sosfiltfilt

from lab import likeness
from lab.alterations import SAMPLE_RATE, Alteration, at_rate, coded, peak_one, regenerate
from lab.audit_material import rendered
from lab.spectrograms import from_mel, griffin_lim, magnitude, single_pass, to_mel

SIZE, HOP = 2048, 512
COARSE_SIZE, COARSE_HOP = 4096, 1024


def mel_inversion(bands: int, sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """From `bands` mel bands every 23 ms; Griffin and Lim's phase."""
    magnitudes = magnitude(sound, COARSE_SIZE, COARSE_HOP)
    smooth = from_mel(to_mel(magnitudes, bands), len(magnitudes))
    return peak_one(griffin_lim(smooth, COARSE_HOP, len(sound), rng))


PATCH, PATCH_BANDS, COMPONENTS = 8, 128, 48
QUIET = 1e-3


def linear_autoencoder(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`COMPONENTS` numbers for each 93 ms of log-mel spectrogram, learnt from rendered sound."""
    mean, components = _components()
    patches, frames = _patches(sound)
    decoded = mean + (patches - mean) @ components @ components.T
    mel = decoded.unflatten(1, (PATCH_BANDS, PATCH)).permute(1, 0, 2).flatten(1)[:, :frames].exp() - QUIET
    return peak_one(griffin_lim(from_mel(mel.clamp(min=0), SIZE // 2 + 1), HOP, len(sound), rng))


def _patches(sound: np.ndarray) -> tuple[torch.Tensor, int]:
    """`[patches, numbers]`, and how many frames they are made of."""
    mel = (to_mel(magnitude(peak_one(sound), SIZE, HOP), PATCH_BANDS) + QUIET).log()
    frames = mel.shape[1]
    mel = torch.nn.functional.pad(mel, (0, -frames % PATCH), value=float(np.log(QUIET)))
    return mel.unflatten(1, (-1, PATCH)).permute(1, 0, 2).flatten(1), frames


@lru_cache(maxsize=1)
def _components() -> tuple[torch.Tensor, torch.Tensor]:
    sounds = rendered("calibration autoencoder", 40, 3, 6.0)
    patches = torch.cat([_patches(some.sound)[0] for some in sounds])
    mean = patches.mean(0)
    _, directions = torch.linalg.eigh((patches - mean).T @ (patches - mean))
    return mean, directions[:, -COMPONENTS:]


def sinusoids_and_noise(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Up to 20 sinusoids every 23 ms, led on from frame to frame, and noise of the rest's envelope."""
    hop, size = 1024, 2048
    spectrum = magnitude(sound, size, hop).numpy()
    window = np.hanning(size + 1)[:-1]
    time = np.arange(size) / SAMPLE_RATE
    made = np.zeros(len(sound) + 2 * size)
    before, phases = np.zeros(0), np.zeros(0)
    for frame, here in enumerate(spectrum.T):
        envelope = median_filter(here, 63)
        peaks, _ = find_peaks(here, height=max(float(here.max()) * 1e-3, 1e-4))
        peaks = peaks[here[peaks] > 2 * envelope[peaks]]
        peaks = np.sort(peaks[np.argsort(here[peaks])[-20:]])
        left, middle, right = (np.log(here[peaks + step] + 1e-9) for step in (-1, 0, 1))
        offset = np.clip(0.5 * (left - right) / (left - 2 * middle + right - 1e-9), -0.5, 0.5)
        frequencies = (peaks + offset) * SAMPLE_RATE / size
        led = rng.uniform(0, 2 * np.pi, len(peaks))
        if len(before) and len(peaks):
            nearest = np.abs(frequencies[:, None] - before).argmin(1)
            goes_on = np.abs(frequencies - before[nearest]) < 0.03 * frequencies
            led[goes_on] = (phases[nearest] + 2 * np.pi * before[nearest] * hop / SAMPLE_RATE)[goes_on]
        amplitudes = here[peaks] * 2 / window.sum()
        tones = amplitudes @ np.cos(2 * np.pi * frequencies[:, None] * time + led[:, None])
        turned = np.minimum(here, envelope) * np.exp(2j * np.pi * rng.random(len(here)))
        made[frame * hop : frame * hop + size] += window * (tones + np.fft.irfft(turned) * np.sqrt(1.5))
        before, phases = frequencies, led
    return peak_one(made[size // 2 : size // 2 + len(sound)])


def lowest_opus(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Opus at 6 kbit/s."""
    return peak_one(np.resize(coded(sound, "OGG", "OPUS", 1.0), len(sound)))


def loosened(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each event up to 20 ms early or late, and up to 4 dB louder or softer."""
    onsets = [round(second * SAMPLE_RATE) for second in event_onsets(sound)]
    borders = [0, *onsets, len(sound)]
    fade = round(0.004 * SAMPLE_RATE)
    late = rng.integers(-round(0.02 * SAMPLE_RATE), round(0.02 * SAMPLE_RATE) + 1, len(borders))
    late[0] = late[-1] = 0
    made = np.zeros(len(sound), np.float32)
    for number, (start, end) in enumerate(pairwise(borders)):
        begin = max(0, start + late[number] - (fade if number else 0))
        stop = min(len(sound), end + late[number + 1])
        if stop - begin < 2 * fade:
            continue
        read = np.clip(np.arange(begin, stop) - late[number], 0, len(sound) - 1)
        part = sound[read] * 10 ** (rng.uniform(-4, 4) / 20)
        ramp = np.linspace(0, 1, fade, dtype=np.float32)
        if number:
            part[:fade] *= ramp
        if end < len(sound):
            part[-fade:] *= ramp[::-1]
        made[begin:stop] += part
    return peak_one(made)


def event_onsets(sound: np.ndarray) -> np.ndarray:
    """Seconds at which something begins: peaks of the log-mel spectrogram's rise, 80 ms apart or more."""
    mel = (to_mel(magnitude(peak_one(sound), SIZE, 441), 40) + 1e-2).log()
    rise = mel.diff(dim=1).clamp(min=0).mean(0).numpy()
    peaks, _ = find_peaks(rise, height=max(0.05, 2 * float(np.median(rise))), distance=8)
    return peaks * 441 / SAMPLE_RATE


def world(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """WORLD's vocoder at 24 kHz: one pitch, a smooth envelope and its aperiodicity, 5 ms apart."""
    rate, vocoder = 24_000, _world()
    samples = at_rate(peak_one(sound), SAMPLE_RATE, rate).astype(np.float64)
    rough, times = vocoder.dio(samples, rate)
    pitch = vocoder.stonemask(samples, rough, times, rate)
    envelope = vocoder.cheaptrick(samples, pitch, times, rate)
    aperiodicity = vocoder.d4c(samples, pitch, times, rate)
    made = vocoder.synthesize(pitch, envelope, aperiodicity, rate)
    return peak_one(np.resize(at_rate(made, rate, SAMPLE_RATE), len(sound)))


@lru_cache(maxsize=1)
def _world() -> ModuleType:
    """pyworld's compiled part alone: the rest of the package asks setuptools for what it no longer has."""
    package = importlib.util.find_spec("pyworld")
    if package is None or package.origin is None:
        raise ImportError("pyworld is missing: pip install pyworld")
    found = importlib.machinery.FileFinder(
        str(Path(package.origin).parent),
        (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES),
    ).find_spec("pyworld")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def noise_vocoder(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise in 32 bands, as wide as the ear's (Glasberg and Moore 1990), each of the sound's envelope."""
    size = 2 ** int(np.ceil(np.log2(len(sound))))
    frequencies = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    position = 21.4 * np.log10(1 + 0.00437 * frequencies)
    edges = np.linspace(21.4 * np.log10(1 + 0.00437 * 60), 21.4 * np.log10(1 + 0.00437 * 16_000), 34)
    slow = butter(2, 50, fs=SAMPLE_RATE, output="sos")
    spectrum, carrier = np.fft.rfft(sound, size), np.fft.rfft(rng.standard_normal(size))
    made = np.zeros(len(sound))
    for low, middle, high in zip(edges, edges[1:], edges[2:], strict=False):
        half = np.where(position < middle, middle - low, high - middle)
        band = np.cos(np.clip((position - middle) / half, -1, 1) * np.pi / 2)
        analytic = np.fft.ifft(np.concatenate([2 * band * spectrum, np.zeros(size // 2 - 1)]))
        envelope = sosfiltfilt(slow, np.abs(analytic[: len(sound)])).clip(min=0)
        noise = np.fft.irfft(band * carrier)[: len(sound)]
        made += envelope * noise / max(float(np.sqrt(np.mean(noise**2))), 1e-9)
    return peak_one(made)


def single_pass_mel_inversion(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """From 52 mel bands every 8 ms; Beauregard, Harish and Wyse's phase."""
    size, hop = 1408, 352
    smooth = from_mel(to_mel(magnitude(sound, size, hop), 52), size // 2 + 1)
    return peak_one(single_pass(smooth, hop, len(sound)))


CODED_BANDS, GROUPS, STEPS, CODES = 80, 8, 4, 256
CODED_SIZE, CODED_HOP = 1408, 352


def quantised_autoencoder(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each 32 ms of log-mel spectrogram as one of 256 shapes in each of 8 groups of bands; 2 kbit/s.

    The shapes were learnt by k-means from rendered sound, and each keeps its own mean level.
    """
    levels, shapes, frames = _groups(sound)
    decoded = np.stack([book[vq(some, book)[0]] for some, book in zip(shapes, _codebooks(), strict=True)])
    mel = torch.from_numpy(np.exp(decoded + levels).astype(np.float32) - QUIET).clamp(min=0)
    mel = mel.unflatten(2, (CODED_BANDS // GROUPS, STEPS)).permute(0, 2, 1, 3).flatten(2).flatten(0, 1)
    smooth = from_mel(mel[:, :frames], CODED_SIZE // 2 + 1)
    return peak_one(single_pass(smooth, CODED_HOP, len(sound)))


def _groups(sound: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Levels `[groups, patches, 1]`, shapes `[groups, patches, numbers]`, and how many frames they make."""
    mel = (to_mel(magnitude(peak_one(sound), CODED_SIZE, CODED_HOP), CODED_BANDS) + QUIET).log()
    frames = mel.shape[1]
    mel = torch.nn.functional.pad(mel, (0, -frames % STEPS), value=float(np.log(QUIET)))
    grouped = mel.unflatten(1, (-1, STEPS)).unflatten(0, (GROUPS, -1))  # [groups, bands, patches, steps]
    patches = grouped.permute(0, 2, 1, 3).flatten(2).numpy()
    levels = patches.mean(axis=2, keepdims=True)
    return levels, patches - levels, frames


@lru_cache(maxsize=1)
def _codebooks() -> np.ndarray:
    """`[groups, codes, numbers]`"""
    sounds = rendered("benchmark autoencoder", 20, 2, 6.0)
    shapes = np.concatenate([_groups(some.sound)[1] for some in sounds], axis=1)
    return np.stack([kmeans2(some, CODES, iter=10, minit="points", rng=0)[0] for some in shapes])


CALIBRATION: dict[str, Alteration] = {
    "bundled autoencoder": partial(regenerate, deviation=0.2),
    "bundled autoencoder, rough": partial(regenerate, deviation=0.6),
    "linear autoencoder": linear_autoencoder,
    "64 mel bands": partial(mel_inversion, 64),
    "40 mel bands": partial(mel_inversion, 40),
    "sinusoids and noise": sinusoids_and_noise,
    "lowest Opus": lowest_opus,
    "loosened events": loosened,
}
BENCHMARK: dict[str, Alteration] = {
    "WORLD": world,
    "noise vocoder": noise_vocoder,
    "52 mel bands": single_pass_mel_inversion,
    "quantised autoencoder": quantised_autoencoder,
}


def kept(sound: np.ndarray, made: np.ndarray) -> float:
    """Log-mel correlation of a sound with what was made of it, where it is or up to 30 ms away."""
    both = (
        torch.from_numpy(at_rate(some, SAMPLE_RATE, likeness.SAMPLE_RATE))[None] for some in (sound, made)
    )
    return float(likeness.correlations(*map(likeness.log_mel, both), 0.03)[0, 0])


def main() -> None:
    from lab.real_sound import specimens

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real", type=Path, required=True, help="folder of `python -m lab.real_sound`")
    parser.add_argument("--sounds", type=int, default=20, help="of the calibration's side (default: 20)")
    arguments = parser.parse_args()
    found = specimens(arguments.real, "calibration")
    sounds = [some.sound for some in found[:: max(1, len(found) // arguments.sounds)]]
    print("| set | method | log-mel correlation, median | lowest | highest |\n|---|---|--:|--:|--:|")
    for group, methods in (("calibration", CALIBRATION), ("benchmark", BENCHMARK)):
        for name, change in methods.items():
            values = [kept(sound, change(sound, rng=np.random.default_rng(0))) for sound in sounds]
            numbers = " | ".join(f"{value:.2f}" for value in (np.median(values), min(values), max(values)))
            print(f"| {group} | {name} | {numbers} |", flush=True)


if __name__ == "__main__":
    main()
