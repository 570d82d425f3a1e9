"""A corpus that needs no renderer."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lab import sizes
from lab.corpus_files import Corpus

DURATION = 1.024  # seconds of a sound of `corpus`: 32 latent frames


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """30 short sounds, each a tone of its own in noise, as `lab.corpus` would have written them."""
    folder = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    time = np.arange(round(DURATION * sizes.SAMPLE_RATE)) / sizes.SAMPLE_RATE
    rows, sounds = [], []
    for number in range(30):
        split = "memorised" if number < 4 else "ordinary" if number < 24 else "held out"
        rows.append(
            {
                "id": f"{number:05d}",
                "caption": f"Tone number {number}",
                "family": "ab"[number % 2],
                "program": 0,
                "tempo": 100,
                "duration": DURATION,
                "split": split,
                "repetitions": 8 if split == "memorised" else 1,
            }
        )
        tone = np.sin(2 * np.pi * 110 * 2 ** (number / 6) * time) + 0.1 * rng.standard_normal(len(time))
        sounds.append((tone / np.abs(tone).max() * 32_767).astype(np.int16))
    (folder / "corpus.json").write_text(json.dumps(rows))
    np.save(folder / "sounds.npy", np.stack(sounds))
    return Corpus(folder)
