"""Phrases and strokes drawn from seeds, as two instruments and two drums play them."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

RATE = 16_000
Instrument = Literal["pluck", "organ"]
Drum = Literal["click", "thump"]


def phrase(
    seed: int,
    instrument: Instrument = "pluck",
    *,
    seconds: float = 8.0,
    up: float = 0.0,
    slower: float = 1.0,
) -> torch.Tensor:
    """[1, time]: a tune drawn from a seed, `up` semitones higher, `slower` times as long."""
    rng = np.random.default_rng(seed)
    sound = np.zeros(round(seconds * slower * RATE))
    onset = 0.0
    while onset < seconds - 0.6:
        pitch = 220 * 2 ** ((rng.integers(0, 20) + up) / 12)
        length = rng.choice([0.25, 0.4, 0.6])
        time = np.arange(round(length * slower * RATE)) / RATE
        partials, decay = ((1, 2, 3, 4), 5 / length) if instrument == "pluck" else ((1, 3, 5), 0.0)
        note = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in partials) * np.exp(-decay * time)
        note *= np.minimum(1, np.minimum(time, time[-1] - time) / 0.01)
        begin = round(onset * slower * RATE)
        sound[begin : begin + len(note)] += note[: len(sound) - begin]
        onset += length
    return _tensor(sound)


def strokes(seed: int, drum: Drum = "click", *, seconds: float = 8.0, slower: float = 1.0) -> torch.Tensor:
    """[1, time]: strokes at times drawn from a seed, `slower` times as long."""
    rng, noise = np.random.default_rng(seed), np.random.default_rng(1000)
    sound = np.zeros(round((seconds + 0.5) * slower * RATE))
    onset = 0.1
    while onset < seconds:
        time = np.arange(round(0.2 * RATE)) / RATE
        click = noise.normal(size=len(time)) * np.exp(-80 * time)
        thump = np.sin(2 * np.pi * 90 * time) * np.exp(-25 * time)
        begin = round(onset * slower * RATE)
        sound[begin : begin + len(time)] += click if drum == "click" else thump
        onset += float(rng.choice([0.12, 0.21, 0.36, 0.5]))
    return _tensor(sound)


def _tensor(sound: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(0.5 * sound / np.abs(sound).max()).float()[None]
