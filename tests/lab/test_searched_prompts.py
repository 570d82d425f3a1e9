"""Prompts that are searched for, to bring a recording back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import unheard
from lab.searched_prompts import Misled, search
from unheard.guidance import Detour


@pytest.fixture(scope="module")
def model(tiny_model_folder: Path) -> unheard.Model:
    return unheard.load(tiny_model_folder)


def test_the_predictions_under_the_states_that_are_found_are_nearer_to_the_recording(
    model: unheard.Model,
) -> None:
    backbone = model.backbone
    recording = torch.randn(*backbone.latent_shape, generator=torch.Generator().manual_seed(1))
    found = search(backbone, "A bell", recording, 0.2, 20)
    told = backbone.encode(["A bell"], [0.0], [0.2])
    sigma = torch.tensor([20.0])
    x = recording + 20.0 * torch.randn(1, *recording.shape, generator=torch.Generator().manual_seed(2))

    def distance(states: torch.Tensor) -> float:
        with torch.no_grad():
            prediction = backbone.denoise(x, sigma, told.with_text_states(states))
        return float((prediction - recording).square().mean())

    assert found.states.shape == told.text_states.shape
    assert found.moved > 0
    assert distance(found.states) < distance(told.text_states)


def test_what_is_hidden_shows_less_in_high_noise(model: unheard.Model) -> None:
    backbone = model.backbone
    recording = torch.randn(*backbone.latent_shape, generator=torch.Generator().manual_seed(1))
    told = backbone.encode(["A bell"], [0.0], [0.2])
    sigma = torch.tensor([100.0])
    x = 100.0 * torch.randn(1, *recording.shape, generator=torch.Generator().manual_seed(2))

    def shown(hidden: bool) -> float:
        found = search(backbone, "A bell", recording, 0.2, 20, highest=10.0, hidden=hidden)
        with torch.no_grad():
            prediction = backbone.denoise(x, sigma, told.with_text_states(found.states))
        return float(torch.cosine_similarity(prediction.flatten(), recording.flatten(), dim=0))

    assert shown(hidden=True) < shown(hidden=False)


def test_the_guidance_reads_the_caption_and_the_model_the_states(model: unheard.Model) -> None:
    backbone = model.backbone
    states = torch.randn_like(backbone.encode(["A bell"], [0.0], [0.2]).text_states)
    misled = Misled(backbone, "A bell", states)
    told = misled.encode(["A bell", "A dog"], [0.0, 0.0], [0.2, 0.2])
    same = backbone.encode(["A bell", "A dog"], [0.0, 0.0], [0.2, 0.2])
    torch.testing.assert_close(told.text_states[:1], states)
    torch.testing.assert_close(told.text_states[1:], same.text_states[1:])
    assert misled.latent_shape == backbone.latent_shape

    short = {"num_inference_steps": 2, "duration": 0.2, "guidance": None}
    (plain,) = model.generate("A bell", **short)
    model.backbone = misled
    try:
        (other,) = model.generate("A bell", **short)
        (guided,) = model.generate("A bell", **short | {"guidance": Detour()})
    finally:
        model.backbone = backbone
    assert other.prompt == "A bell"
    assert not torch.equal(plain.waveform, other.waveform)
    assert [step.acted for step in guided.trace] == [False, False]
    torch.testing.assert_close(guided.waveform, other.waveform)
