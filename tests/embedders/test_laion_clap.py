"""Our CLAP gives what LAION-CLAP's own package gives: the embedder of the published training-set embeddings.

`lab/laion_clap_reference.py` ran laion-clap 1.1.7 with the weights that are drawn here again, and kept what
it gave for the same sounds.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F
from transformers import ClapFeatureExtractor

from lab import laion_clap_reference as reference
from lab.laion_clap_reference import FRAMES_APART, QUIET, RATE, heard, spectrogram
from unheard.embedders.clap import ClapEmbedder
from unheard.embedders.mel import MelSpectrogram, Padding, pad_to_window

LAION = load_file(Path(__file__).parents[1] / "fixtures" / "laion_clap.safetensors")
NAMES = sorted({name.rsplit("/", 1)[0] for name in LAION})
AT_PEAK = [name for name in NAMES if name != QUIET]


def nearly_silent_between_partials(name: str) -> bool:
    return name.startswith(("sweep,", "chord"))


@pytest.fixture(scope="module")
def sounds() -> dict[str, np.ndarray]:
    return reference.sounds()


@pytest.fixture(scope="module")
def embedder() -> ClapEmbedder:
    return reference.embedder()


@pytest.fixture(scope="module")
def vectors(embedder: ClapEmbedder, sounds: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """Our embedding of each sound, as anyone gets it."""
    return {name: embedder.embed_audio(waveform(heard(sound)), RATE)[0] for name, sound in sounds.items()}


def waveform(sound: np.ndarray) -> Tensor:
    return torch.from_numpy(sound)[None, None]


def short_of_one(ours: Tensor, theirs: Tensor) -> float:
    return 1 - float(F.cosine_similarity(ours.double(), theirs.double(), dim=0))


# What the comparison rests on


def test_every_number_of_the_network_is_drawn(embedder: ClapEmbedder) -> None:
    weights = reference.audio_weights(embedder.model)
    assert sum(tensor.numel() for tensor in weights.values()) == 28_191_000  # HTSAT-tiny and its projection
    assert not [name for name, tensor in weights.items() if (tensor == tensor.flatten()[0]).all()]


def test_the_network_tells_sounds_apart() -> None:
    kinds = [LAION[f"{kind}, 10 s/float"] for kind in ("sweep", "chord", "clicks", "noise")]
    cosines = torch.stack(kinds) @ torch.stack(kinds).T
    assert float(cosines.fill_diagonal_(0).max()) < 0.9


# Parity


@pytest.mark.parametrize("name", NAMES)
def test_spectrograms_are_laion_claps(
    embedder: ClapEmbedder, sounds: dict[str, np.ndarray], name: str
) -> None:
    """To .25 dB beside a pure tone, where laion-clap's float32 rounds what lies next to nothing."""
    ours = spectrogram(embedder, heard(sounds[name]))
    assert ours.shape == (1001, 64)
    apart = (ours[::FRAMES_APART] - LAION[f"{name}/mel"]).abs()
    assert float(apart.max()) < (0.25 if nearly_silent_between_partials(name) else 0.001)
    assert float(apart.mean()) < 0.005


@pytest.mark.parametrize("name", AT_PEAK)
def test_embeddings_are_laion_claps(vectors: dict[str, Tensor], name: str) -> None:
    theirs = LAION[f"{name}/float"]
    assert short_of_one(vectors[name], theirs) < 1e-6
    tolerance = 2e-4 if nearly_silent_between_partials(name) else 2e-6
    torch.testing.assert_close(vectors[name], theirs, atol=tolerance, rtol=0)


@pytest.mark.parametrize("name", AT_PEAK)
def test_sixteen_bits_change_little(vectors: dict[str, Tensor], name: str) -> None:
    """laion-clap cuts samples to 16 bits before it hears them; ours are heard as they are."""
    limit = 3e-3 if nearly_silent_between_partials(name) else 1e-7
    assert short_of_one(vectors[name], LAION[f"{name}/16 bits"]) < limit


def test_sixteen_bits_are_all_the_difference(embedder: ClapEmbedder, sounds: dict[str, np.ndarray]) -> None:
    largest = np.float32(32_767)
    sound = (sounds["chord, 10 s"] * largest).astype(np.int16) / largest
    [ours] = embedder.embed_audio(waveform(sound), RATE)
    torch.testing.assert_close(ours, LAION["chord, 10 s/16 bits"], atol=2e-4, rtol=0)


def test_the_level_is_all_the_difference_of_a_quiet_sound(
    embedder: ClapEmbedder, vectors: dict[str, Tensor], sounds: dict[str, np.ndarray]
) -> None:
    """laion-clap hears a sound at the level it has, ours at peak 1, as the published guidance does."""
    theirs = LAION[f"{QUIET}/float"]
    assert short_of_one(vectors[QUIET], theirs) > 0.01
    [at_its_level] = embedder._embed(torch.from_numpy(sounds[QUIET])[None])
    torch.testing.assert_close(at_its_level, theirs, atol=2e-6, rtol=0)


@pytest.mark.parametrize(
    ("padding", "truncation"), [("pad", "rand_trunc"), ("repeat", "rand_trunc"), ("repeatpad", "fusion")]
)
def test_another_padding_or_filter_bank_would_be_noticed(
    sounds: dict[str, np.ndarray], padding: Padding, truncation: str
) -> None:
    other = ClapFeatureExtractor(frequency_min=50, frequency_max=14_000, truncation=truncation)
    sound = pad_to_window(torch.from_numpy(sounds["noise, 4 s"])[None], reference.WINDOW, padding)
    decibels = MelSpectrogram(other, torch.device("cpu"))(sound)[0]
    assert float((decibels[::FRAMES_APART] - LAION["noise, 4 s/mel"]).abs().mean()) > 1
