"""AudioLDM 2 from sound to latents and back, against arithmetic written out and the pipeline's decoding."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from audioldm2_pipeline import backbone_of, random_pipeline
from diffusers import AudioLDM2Pipeline
from torch import Tensor

from unheard.backbones.audioldm2 import backbone as audioldm2
from unheard.backbones.audioldm2.backbone import AudioLDM2Backbone
from unheard.backbones.audioldm2.mel import LogMel, as_in_training


@pytest.fixture(scope="module")
def pipeline() -> AudioLDM2Pipeline:
    return random_pipeline(seed=2)


@pytest.fixture(scope="module")
def backbone(pipeline: AudioLDM2Pipeline) -> AudioLDM2Backbone:
    return backbone_of(pipeline)


def noise(frames: float, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(1, 1, round(frames * 640), generator=generator)


def slaney_filters() -> np.ndarray:
    """Slaney's 64 triangles of unit area up to 8 kHz, [64, 513]: evenly up to 1 kHz, then in its log."""

    def hertz(mel: np.ndarray) -> np.ndarray:
        return np.where(mel < 15, 200 * mel / 3, 1000 * 6.4 ** ((mel - 15) / 27))

    top = 15 + 27 * math.log(8) / math.log(6.4)
    corners = hertz(np.linspace(0, top, 66))
    bins = np.arange(513) * 16_000 / 1024
    rising = (bins - corners[:-2, None]) / np.diff(corners)[:-1, None]
    falling = (corners[2:, None] - bins) / np.diff(corners)[1:, None]
    return np.maximum(0, np.minimum(rising, falling)) * (2 / (corners[2:] - corners[:-2]))[:, None]


def test_the_log_mel_is_that_of_the_training_code() -> None:
    """A discrete Fourier transform written out, in float64, of frames that are centred on their hop."""
    time = torch.arange(6 * 160)
    waveform = noise(1.5)[0] + 0.3 * torch.sin(0.2 * time) * (time > 500)
    padded = np.pad(waveform[0].double().numpy(), 432, mode="reflect")
    samples = np.arange(1024)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * samples / 1024)
    transform = np.exp(-2j * np.pi * np.outer(np.arange(513), samples) / 1024)
    frames = np.stack([padded[first : first + 1024] for first in range(0, 6 * 160, 160)])
    expected = np.log(np.maximum(np.abs(frames * window @ transform.T) @ slaney_filters().T, 1e-5))
    ours = LogMel(64, 16_000, 160, torch.device("cpu"))(waveform)
    assert ours.shape == (1, 6, 64)
    np.testing.assert_allclose(ours[0].numpy(), expected, atol=1e-4)
    silence = LogMel(64, 16_000, 160, torch.device("cpu"))(torch.zeros(1, 640))
    assert torch.equal(silence, torch.full((1, 4, 64), math.log(1e-5)))


def test_recordings_are_heard_without_their_mean_and_at_a_peak_of_one_half() -> None:
    waveform = torch.stack([noise(2)[0] + 0.3, torch.zeros(1, 1280)])
    heard = as_in_training(waveform)
    assert heard[0].abs().max() == pytest.approx(0.5)
    assert heard.mean(dim=-1).abs().max() < 1e-6
    assert torch.equal(heard[1], waveform[1])


def test_latents_are_the_autoencoders_mean(pipeline: AudioLDM2Pipeline, backbone: AudioLDM2Backbone) -> None:
    """Of the whole, where it is one piece; decoded, they are what the pipeline decodes them to."""
    waveform = torch.cat([noise(7), noise(7, seed=1)])
    latents = backbone.encode_audio(waveform[..., :-100])
    sound = torch.nn.functional.pad(as_in_training(waveform[:, 0, :-100]), (0, 100))
    mel = LogMel(64, 16_000, 160, torch.device("cpu"))(sound)
    mean = pipeline.vae.encode(mel[:, None]).latent_dist.mean * 0.4
    torch.testing.assert_close(latents, mean)
    assert latents.shape == (2, 4, 7, 16)
    audio = backbone.decode(latents)
    assert audio.shape == (2, 1, 7 * 640)
    theirs = pipeline.mel_spectrogram_to_waveform(pipeline.vae.decode(1 / 0.4 * latents).sample)
    torch.testing.assert_close(audio[:, 0], theirs[:, : 7 * 640], rtol=0, atol=1e-6)
    assert theirs.shape[1] == 7 * 640 + 32  # what the vocoder adds at the end, which the pipeline cuts too


def test_the_level_of_a_recording_is_not_told(backbone: AudioLDM2Backbone) -> None:
    waveform = noise(4)
    torch.testing.assert_close(
        backbone.encode_audio(0.1 * waveform + 0.2), backbone.encode_audio(waveform), rtol=0, atol=1e-3
    )


def test_pieces_are_nearly_the_whole(backbone: AudioLDM2Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    """The autoencoder normalises over what it is given; steady sound shows little of that."""
    steady = noise(90)
    changing = steady * torch.linspace(0, 1, steady.shape[-1]) ** 2
    given: list[int] = []
    encode = backbone.vae.encode

    def difference(waveform: Tensor, context: int) -> float:
        whole = backbone.encode_audio(waveform)
        with monkeypatch.context() as patch:
            patch.setattr(audioldm2, "PIECE", 40)
            patch.setattr(audioldm2, "CONTEXT", context)
            patch.setattr(backbone.vae, "encode", lambda mel: (given.append(mel.shape[2]), encode(mel))[1])
            pieces = backbone.encode_audio(waveform)
        assert pieces.shape == whole.shape
        return float((pieces - whole).square().mean().sqrt() / whole.std())

    assert difference(steady, 32) < 0.05
    assert given == [4 * 62, 4 * 90, 4 * 62]  # three of 30 frames, with up to 32 more on either side
    assert difference(steady, 0) > 1.5 * difference(steady, 32)
    assert 0.1 < difference(changing, 32) < 1


def test_decoding_has_a_gradient(backbone: AudioLDM2Backbone) -> None:
    double = backbone_of(random_pipeline(seed=2).to(torch.float64))
    generator = torch.Generator().manual_seed(1)
    latents, way = torch.randn(2, 1, 4, 2, 16, generator=generator, dtype=torch.float64)
    latents.requires_grad_()
    (gradient,) = torch.autograd.grad(double.decode(latents).square().sum(), latents)
    with torch.no_grad():
        after, before = (double.decode(latents + h * way).square().sum() for h in (1e-6, -1e-6))
    assert float((gradient * way).sum()) == pytest.approx(float(after - before) / 2e-6, rel=1e-5)
