"""A training set of noise for the toy backbone, of which it may have memorised the first recording."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
import torch
from tiny_world import CAPTIONS, build_index, build_tiny_clap
from toy_backbone import FRAMES, HOP, RATE

from unheard import Sampling
from unheard.generation.defaults import Defaults


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording a training item, of noise. Do not write to the folder."""
    folder = tmp_path_factory.mktemp("recordings")
    generator = torch.Generator().manual_seed(1)
    for number in range(len(CAPTIONS)):
        noise = torch.rand(FRAMES * HOP, generator=generator) - 0.5
        soundfile.write(folder / f"train_{number:02d}.wav", noise.numpy(), RATE)
    return folder


@pytest.fixture(scope="session")
def toy_defaults(tmp_path_factory: pytest.TempPathFactory) -> Defaults:
    """What a model of the toy backbone does unless it is told otherwise, with an index of random captions."""
    folder = tmp_path_factory.mktemp("toy")
    return Defaults(
        sampling=Sampling(num_inference_steps=4, sigma_max=80.0, guidance_scale=3.0),
        guidance=None,
        duration=0.6,
        embedder=str(build_tiny_clap(folder / "clap")),
        index=build_index(folder / "index.json"),
    )
