"""Plucked melodies drawn from seeds, as sounds that are easily told from one another."""

from __future__ import annotations

import numpy as np
import torch

RATE = 16_000


def melody(seed: int, seconds: float = 6.0, *, up: float = 0.0, slower: float = 1.0) -> torch.Tensor:
    """[1, time]: plucked notes drawn from a seed; `up` semitones higher, `slower` times as long."""
    rng = np.random.default_rng(seed)
    sound = np.zeros(round(seconds * slower * RATE))
    onset = 0.0
    while onset < seconds - 0.3:
        pitch = 220 * 2 ** ((rng.integers(0, 25) + up) / 12)
        length = rng.choice([0.2, 0.3, 0.45])
        time = np.arange(round(length * slower * 1.5 * RATE)) / RATE
        note = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 5))
        note *= np.exp(-4 * time / length) * rng.uniform(0.5, 1.0)
        begin = round(onset * slower * RATE)
        note = note[: len(sound) - begin]
        sound[begin : begin + len(note)] += note
        onset += length
    return torch.from_numpy(0.5 * sound / np.abs(sound).max()).float()[None]
