"""AudioLDM 2's conditioning under guidance, and a recording that it replays, from a folder to sounds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile
import torch
from audioldm2_pipeline import write_audioldm2
from tiny_world import CAPTIONS, build_index, build_tiny_clap
from torch.nn import functional as F

import unheard
from unheard import Detour
from unheard.backbones.audioldm2.conditioning import AudioLDM2Conditioning as Conditioning

DURATION = 0.2
PROMPTS = [CAPTIONS[0], "a slow piano"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> unheard.Model:
    folder = write_audioldm2(tmp_path_factory.mktemp("model"))
    build_tiny_clap(folder / "clap")
    build_index(folder / "index.json")
    settings = {"embedder": "clap", "index": "index.json", "duration": DURATION}
    settings["sampling"] = {"num_inference_steps": 4}
    (folder / "unheard.json").write_text(json.dumps(settings))
    return unheard.load(folder, device="cpu")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording a training item, of noise."""
    folder = tmp_path_factory.mktemp("recordings")
    generator = torch.Generator().manual_seed(1)
    for number in range(len(CAPTIONS)):
        noise = torch.rand(round(DURATION * 16_000), generator=generator) - 0.5
        soundfile.write(folder / f"train_{number:02d}.wav", noise.numpy(), 16_000)
    return folder


def test_the_familys_own_sampling_is_the_default(model: unheard.Model) -> None:
    sampling = model.request("a bell", guidance=None).sampling
    assert (sampling.sampler, sampling.schedule, sampling.guidance_scale) == ("euler", "model", 3.5)


def test_a_recording_that_is_replayed_is_left(
    model: unheard.Model, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The UNet is made to know one recording, whatever the noise, under its caption."""
    backbone = model.backbone
    waveform, _ = unheard.audio.read(recordings / "train_00.wav")
    latents = backbone.encode_audio(waveform[None])
    memorised = backbone.encode([CAPTIONS[0]], [0.0], [1.0])
    denoise = backbone.denoise

    def replaying(x: torch.Tensor, sigma: torch.Tensor, told: Conditioning) -> torch.Tensor:
        likeness = F.cosine_similarity(told.generated, memorised.generated, dim=-1).mean(dim=1)
        known = (likeness > 0.9999)[:, None, None, None]
        return latents[..., : x.shape[-2], :].expand_as(x).where(known, denoise(x, sigma, told))

    monkeypatch.setattr(backbone, "denoise", replaying)
    options = {"guidance": Detour(candidates=4), "references": recordings, "seed": [5, 6]}
    copied, other = model.generate(PROMPTS, guidance_scale=1.0, **options)
    first = copied.trace[0]
    assert first.value is not None
    assert first.value > 0.9
    assert (first.neighbour, first.acted) == ("train_00", True)
    assert not other.trace[0].acted


def test_blends_go_from_one_text_to_the_other(model: unheard.Model) -> None:
    """At the ends they are the texts themselves, and on the way no token comes or goes at once."""
    backbone = model.backbone
    long, short = (
        backbone.encode([prompt], [0.0], [1.0])
        for prompt in ("an acoustic drum loop and a slow piano", "a bell")
    )
    x = torch.randn(1, *backbone.noise_shape(DURATION), generator=torch.Generator().manual_seed(0))

    def estimate(weight: float) -> torch.Tensor:
        return backbone.denoise(x, torch.ones(1), long.blended(short, weight))

    ends = [backbone.denoise(x, torch.ones(1), text) for text in (short, long)]
    apart = (ends[0] - ends[1]).norm()
    assert apart > 0.01 * ends[0].norm()
    for weight, end in zip((0.0, 1.0), ends, strict=True):
        torch.testing.assert_close(estimate(weight), end, rtol=0, atol=1e-5)
        assert (estimate(abs(weight - 1e-3)) - end).norm() < 0.05 * apart
    both = long.blended(short, 0.25)
    assert both.presence.tolist() == [[1.0] * 3 + [0.25] * (long.text.shape[1] - 3)]
    assert torch.equal(both.text[0, 3:], long.text[0, 3:])


def test_text_states_are_those_of_both_streams(model: unheard.Model) -> None:
    told = model.backbone.encode(["a bell", "a slow piano melody"], [0.0] * 2, [1.0] * 2)
    states = told.text_states
    again = told.with_text_states(states)
    assert torch.equal(again.generated, told.generated)
    assert torch.equal(again.text, told.text)
    assert states.shape == (2, told.generated[0].numel() + told.text[0].numel())
    x = torch.randn(2, *model.backbone.noise_shape(DURATION))
    states.requires_grad_()
    estimate = model.backbone.denoise(x, torch.ones(2), told.with_text_states(states))
    (gradient,) = torch.autograd.grad(estimate.square().sum(), states)
    text = gradient[0, told.generated[0].numel() :].view_as(told.text[0])
    assert (text[told.presence[0] == 0] == 0).all()
    assert (text[told.presence[0] == 1] != 0).any()
