"""Guidance inside diffusers' AudioLDM2Pipeline: with none the pipeline's own result, with some it acts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from audioldm2_pipeline import random_pipeline
from diffusers import (
    AudioLDM2Pipeline,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    PNDMScheduler,
)
from tiny_world import build_index, build_tiny_clap
from torch import Tensor

import unheard
from unheard import AMG, Detour

PROMPTS = ["a warm bell", "an acoustic drum loop and a slow piano"]
STEPS = 4

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning",
    "ignore:no recordings of:unheard.guidance.base.GuidanceWarning",
)


@pytest.fixture(scope="module")
def loaded() -> AudioLDM2Pipeline:
    return random_pipeline(seed=4)


@pytest.fixture
def pipe(loaded: AudioLDM2Pipeline) -> Iterator[AudioLDM2Pipeline]:
    plain, scheduler = type(loaded), loaded.scheduler
    yield loaded
    loaded.scheduler = scheduler
    assert type(loaded) is plain, "a test left it attached"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("world")
    return {"index": build_index(folder / "index.json"), "embedder": build_tiny_clap(folder / "clap")}


def call(pipe: Any, **options: Any) -> Tensor:
    """Latents of four sounds, two a prompt, from one seed; in the order in which they were made."""
    given: dict[str, Any] = {
        "num_inference_steps": STEPS, "audio_length_in_s": 0.16, "num_waveforms_per_prompt": 2,
        "generator": torch.Generator().manual_seed(0), "output_type": "latent", **options,
    }  # fmt: skip
    return pipe(PROMPTS, **given).audios


@pytest.mark.parametrize(
    ("scheduler", "options"),
    [
        (DDIMScheduler, {"negative_prompt": ["noise", "low quality"]}),
        (DDIMScheduler, {"eta": 1.0}),
        (DDIMScheduler, {"guidance_scale": 1.0}),
        (PNDMScheduler, {}),
        (DPMSolverMultistepScheduler, {}),
        (EulerDiscreteScheduler, {"negative_prompt": ["noise", ""]}),
    ],
    ids=["negative", "eta", "scale 1", "PNDM", "DPM-Solver", "Euler"],
)
def test_without_guidance_it_is_the_pipelines_own_result(
    pipe: AudioLDM2Pipeline, scheduler: Any, options: dict[str, Any]
) -> None:
    skip = {"skip_prk_steps": True} if scheduler is PNDMScheduler else {}
    pipe.scheduler = scheduler.from_config(pipe.scheduler.config, **skip)
    plain = call(pipe, **options)
    with unheard.attach(pipe, guidance=None) as attached:
        guided = call(pipe, **options)
    assert (guided - plain).abs().max() < 1e-4 * plain.abs().max()
    calls = STEPS + 1 if scheduler is PNDMScheduler else STEPS  # it asks twice at its second time
    assert [len(of_one) for of_one in attached.trace] == [calls] * 4


def test_sounds_and_not_only_latents(pipe: AudioLDM2Pipeline) -> None:
    """One waveform a prompt: several are put in another order where librosa is installed."""
    options = {"num_waveforms_per_prompt": 1, "output_type": "pt"}
    plain = call(pipe, **options)
    with unheard.attach(pipe, guidance=None):
        guided = call(pipe, **options)
    assert plain.shape == (2, 2560)
    assert (guided - plain).abs().max() < 1e-4 * plain.abs().max()


def test_the_detour_acts_on_each_sound_and_leaves_nothing_behind(
    pipe: AudioLDM2Pipeline, world: dict[str, Path]
) -> None:
    plain = call(pipe)
    with unheard.attach(pipe, guidance=Detour(pull=0.0), **world) as attached:
        guided = call(pipe)
        assert torch.equal(call(pipe), guided)
    assert all(all(step.acted for step in of_one) for of_one in attached.trace)
    assert (guided - plain).abs().amax(dim=(1, 2, 3)).min() > 1e-3 * plain.abs().max()
    assert torch.equal(call(pipe), plain)


def test_amg_follows_its_gradient_through_decoder_and_vocoder(
    pipe: AudioLDM2Pipeline, world: dict[str, Path]
) -> None:
    always = {"c1": 0.0, "c2": 0.0, "lambda_min": -2.0, "lambda_max": -2.0}
    with unheard.attach(pipe, guidance=AMG(c3=0.0, **always), **world):
        without = call(pipe, num_waveforms_per_prompt=1)
    with unheard.attach(pipe, guidance=AMG(c3=50.0, **always), **world) as attached:
        with_gradient = call(pipe, num_waveforms_per_prompt=1)
    assert all(step.acted for of_one in attached.trace for step in of_one)
    assert not torch.allclose(without, with_gradient)


def test_a_sound_of_the_full_length_and_one_that_is_too_long(pipe: AudioLDM2Pipeline) -> None:
    with unheard.attach(pipe, guidance=None):
        assert call(pipe, audio_length_in_s=None, num_inference_steps=1).shape[-2] == 24
        with pytest.raises(unheard.InputError, match="makes 60 s at most"):
            call(pipe, audio_length_in_s=61.0)
