"""Recordings encoded in bounded pieces are what they are as a whole."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from unheard.backbones import load_backbone
from unheard.backbones.hub import ASSETS
from unheard.backbones.stable_audio import backbone as stable_audio
from unheard.backbones.stable_audio.backbone import CONTEXT, PIECE, StableAudioBackbone

# The rounding of float32 convolutions over other lengths, in units of latents whose spread is about 1.
TOLERANCE = 1e-4


@pytest.fixture(scope="module", params=["random", "bundled"])
def backbone(request: pytest.FixtureRequest, tiny_model_folder: Path) -> StableAudioBackbone:
    loaded = load_backbone(tiny_model_folder if request.param == "random" else ASSETS / "tiny", device="cpu")
    assert isinstance(loaded, StableAudioBackbone)
    return loaded


@cache
def encoded_whole(backbone: StableAudioBackbone, frames: float) -> Tensor:
    """What the encoder makes of `noise` in one piece."""
    assert frames < PIECE
    return backbone.encode_audio(noise(backbone, frames))


def noise(backbone: StableAudioBackbone, frames: float, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    samples = round(frames * backbone.hop_length)
    return 0.3 * torch.randn(1, backbone.audio_channels, samples, generator=generator)


def reach(backbone: StableAudioBackbone) -> float:
    """Frames that the encoder looks beyond a frame's middle, from kernels, dilations and strides alone."""
    samples, step = 0.0, 1
    for module in backbone.vae.encoder.modules():
        if isinstance(module, nn.Conv1d):
            samples += step * module.dilation[0] * (module.kernel_size[0] - 1) / 2
            step *= module.stride[0]
    assert step == backbone.hop_length
    return samples / step


LONG = 2 * CONTEXT + 6.3  # frames, of which those in the middle have all of their context


@pytest.mark.parametrize(("piece", "frames"), [(1, 3), (7, 36), (12, 36), (20, LONG), (40, 3), (40, LONG)])
def test_pieces_equal_the_whole(
    backbone: StableAudioBackbone, monkeypatch: pytest.MonkeyPatch, piece: int, frames: float
) -> None:
    whole = encoded_whole(backbone, frames)
    monkeypatch.setattr(stable_audio, "PIECE", piece)
    pieces = backbone.encode_audio(noise(backbone, frames))
    assert pieces.shape == whole.shape
    torch.testing.assert_close(pieces, whole, rtol=0, atol=TOLERANCE)


def test_less_context_would_be_noticed(
    backbone: StableAudioBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = encoded_whole(backbone, LONG)
    monkeypatch.setattr(stable_audio, "PIECE", 7)
    monkeypatch.setattr(stable_audio, "CONTEXT", 0)
    assert (backbone.encode_audio(noise(backbone, LONG)) - whole).abs().max() > 100 * TOLERANCE


def test_the_encoder_reaches_no_further_than_the_context(backbone: StableAudioBackbone) -> None:
    """By its layers, and by what changes when all beyond the context does."""
    assert reach(backbone) + 1 <= CONTEXT
    sound, middle = noise(backbone, 2 * CONTEXT + 9), CONTEXT + 4
    other = noise(backbone, 2 * CONTEXT + 9, seed=1)
    within = slice((middle - CONTEXT) * backbone.hop_length, (middle + CONTEXT + 1) * backbone.hop_length)
    other[..., within] = sound[..., within]
    ours, theirs = (backbone.encode_audio(each) for each in (sound, other))
    assert torch.equal(ours[..., middle], theirs[..., middle])
    assert not torch.equal(ours, theirs)


def test_the_published_encoder_reaches_no_further_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    from full_size import full_size_backbone

    assert reach(full_size_backbone("meta")) + 1 <= CONTEXT
