"""The sound-effects embedder gives what its authors' package gives, on sounds of any length."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.audio_utils import mel_filter_bank

from lab.sound_effects_embedder import folded
from unheard.embedders import sound_effects
from unheard.embedders.sound_effects import CHANNELS, DIMENSION, SAMPLE_RATE, STEP, SoundEffectsEmbedder
from unheard.errors import InputError

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "sound_effects.json").read_text())


@pytest.fixture(scope="module")
def embedder() -> SoundEffectsEmbedder:
    return sound_effects.bundled()


def plucks() -> Tensor:
    """Four seconds of a plucked glide under a beeping tone; the golden values are of this sound."""
    time = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
    glide = 0.5 * np.sin(2 * np.pi * 220 * time * (1 + 0.1 * time)) * np.exp(-3 * (time % 0.5))
    beep = 0.1 * np.sin(2 * np.pi * 3000 * time) * (time % 1 > 0.6)
    return torch.from_numpy(glide + beep)[None].float()


def test_the_spectrogram_is_that_of_the_authors_package() -> None:
    loudest = plucks() / plucks().abs().max()
    ours = sound_effects.mel_spectrogram(loudest[0])
    assert ours.shape == (4 * SAMPLE_RATE // 1024 + 1, 96)
    torch.testing.assert_close(ours[40], torch.tensor(GOLDEN["spectrogram_frame_40"]), atol=1e-4, rtol=0)


def test_the_filters_are_htks_with_unit_sums() -> None:
    bank = torch.tensor(mel_filter_bank(1025, 96, 0.0, 22_050.0, SAMPLE_RATE, mel_scale="htk").T).float()
    theirs = bank / bank.sum(dim=1, keepdim=True)
    torch.testing.assert_close(sound_effects.filter_bank(), theirs, atol=1e-5, rtol=0)


def test_embeddings_are_those_of_the_authors_package(embedder: SoundEffectsEmbedder) -> None:
    """To what float16 rounds off the weights: a thousandth of the largest number, by the cosine 1e-5."""
    starts, vectors = embedder.embed_windows(plucks(), SAMPLE_RATE)
    theirs = torch.tensor(GOLDEN["embeddings"])
    assert vectors.shape == theirs.shape
    assert starts.tolist() == pytest.approx([0.0, 50 * 1024 / SAMPLE_RATE])
    assert float(F.cosine_similarity(vectors, theirs).min()) > 1 - 1e-5
    torch.testing.assert_close(vectors, theirs, atol=0.03, rtol=0)


class TheirBlock(nn.Module):
    """Two convolutions, each with its batch normalisation, by the names in the authors' checkpoint."""

    def __init__(self, narrow: int, wide: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(narrow, wide, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(wide, wide, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(wide), nn.BatchNorm2d(wide)

    def forward(self, maps: Tensor) -> Tensor:
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(maps))))))


def test_folding_the_normalisation_changes_nothing(tmp_path: Path) -> None:
    torch.manual_seed(0)
    blocks = [TheirBlock(narrow, wide).eval() for narrow, wide in pairwise(CHANNELS)]
    weights = {}
    for number, block in enumerate(blocks, start=1):
        for normalisation in (block.bn1, block.bn2):
            for some in (normalisation.weight, normalisation.running_var):
                some.data.uniform_(0.5, 2.0)
            for some in (normalisation.bias, normalisation.running_mean):
                some.data.normal_(std=0.3)
        weights |= {f"embedding_net.conv_block{number}.{k}": some for k, some in block.state_dict().items()}
    save_file(folded(weights), tmp_path / "folded.safetensors")

    maps = spectrograms = torch.rand(2, 40, 96)
    maps = maps[:, None]
    with torch.no_grad():
        for number, block in enumerate(blocks):
            maps = block(maps)
            if number < 3:
                maps = F.max_pool2d(maps, 2)
    theirs = maps.mean(dim=3).amax(dim=2)
    ours = SoundEffectsEmbedder.load(tmp_path / "folded.safetensors")(spectrograms).amax(dim=1)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_steps_follow_the_sound(embedder: SoundEffectsEmbedder) -> None:
    """A step hears what lies around it: later by some steps is embedded later by as many."""
    later = F.pad(plucks(), (8 * 8 * 1024, 0))
    at_once, shifted = (embedder.embed_steps(some, SAMPLE_RATE) for some in (plucks(), later))
    assert len(at_once) == pytest.approx(4.0 / STEP, abs=1)
    torch.testing.assert_close(shifted[12:24], at_once[4:16], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("seconds", [0.001, 0.02, 0.5, 2.4])
def test_short_sounds_are_filled_up(embedder: SoundEffectsEmbedder, seconds: float) -> None:
    short = plucks()[:, : round(seconds * SAMPLE_RATE)]
    starts, vectors = embedder.embed_windows(short, SAMPLE_RATE)
    assert (starts.tolist(), vectors.shape) == ([0.0], (1, DIMENSION))
    assert embedder.embed_steps(short, SAMPLE_RATE).shape[1] == DIMENSION
    assert vectors.isfinite().all()


def test_level_channels_and_rate_do_not_count(embedder: SoundEffectsEmbedder) -> None:
    stereo = torch.cat([plucks(), plucks()]) * 0.01
    again = embedder.embed_audio(torch.stack([stereo]), SAMPLE_RATE)
    first = embedder.embed_audio(plucks()[None], SAMPLE_RATE)
    assert float(first.norm()) == pytest.approx(1.0)
    torch.testing.assert_close(again, first, atol=1e-4, rtol=0)
    assert embedder.embed_audio(torch.zeros(1, 1, 44_100), SAMPLE_RATE).isfinite().all()


def test_no_sample_is_told(embedder: SoundEffectsEmbedder) -> None:
    with pytest.raises(InputError, match="0 samples at 16000 Hz are too short to embed"):
        embedder.embed_audio(torch.zeros(1, 1, 0), 16_000)
    with pytest.raises(InputError, match="sample rate"):
        embedder.embed_audio(torch.zeros(1, 1, 100), 0)
