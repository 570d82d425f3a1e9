"""Guidance inside a diffusers pipeline: with none the pipeline's own result, with some it acts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    CosineDPMSolverMultistepScheduler,
    DDPMPipeline,
    DDPMScheduler,
    EDMDPMSolverMultistepScheduler,
    StableAudioPipeline,
    UNet2DModel,
)
from torch import Tensor

import unheard
from unheard import AMG, Detour
from unheard.backbones.hub import ASSETS

PROMPTS = ["A bell", "An acoustic drum loop, 110 bpm"]


@pytest.fixture(scope="module")
def loaded(tiny_model_folder: Path) -> StableAudioPipeline:
    pipe = StableAudioPipeline.from_pretrained(tiny_model_folder)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="module")
def trained() -> StableAudioPipeline:
    """What is compared end to end is sounds: the bundled model, at an eighth of its length."""
    pipe = StableAudioPipeline.from_pretrained(ASSETS / "tiny")
    pipe.transformer.register_to_config(sample_size=16)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture
def pipe(loaded: StableAudioPipeline) -> Iterator[StableAudioPipeline]:
    plain = type(loaded)
    yield loaded
    assert type(loaded) is plain, "a test left it attached"


def call(pipe: Any, **options: Any) -> Tensor:
    """Four sounds, two a prompt, from one seed."""
    given: dict[str, Any] = {
        "num_inference_steps": 4, "audio_end_in_s": 0.8, "guidance_scale": 3.0, "num_waveforms_per_prompt": 2,
        "generator": torch.Generator().manual_seed(0), **options,
    }  # fmt: skip
    return pipe(PROMPTS, **given).audios


@pytest.mark.parametrize(
    ("order", "options"),
    [(1, {"negative_prompt": ["drums", "wind"]}), (2, {}), (2, {"guidance_scale": 1.0})],
    ids=["negative", "second order", "scale 1"],
)
def test_without_guidance_it_is_the_pipelines_own_result(
    trained: StableAudioPipeline, order: int, options: dict[str, Any]
) -> None:
    pipe = trained
    config = {**pipe.scheduler.config, "solver_order": order}
    pipe.scheduler = CosineDPMSolverMultistepScheduler.from_config(config)
    options = options | {"num_inference_steps": 3, "audio_end_in_s": 0.3}
    plain = call(pipe, **options)
    with unheard.attach(pipe, guidance=None) as attached:
        guided = call(pipe, **options)
    assert (guided - plain).abs().max() < 1e-4 * plain.abs().max()
    assert [len(of_one) for of_one in attached.trace] == [3] * 4


def test_the_detour_acts_on_each_sound_and_leaves_nothing_behind(pipe: StableAudioPipeline) -> None:
    plain = call(pipe)
    trained = [parameter.requires_grad for parameter in pipe.transformer.parameters()]
    attached = unheard.attach(pipe, guidance=Detour(pull=0.0))
    guided = call(pipe)
    assert all(all(step.acted for step in of_one) for of_one in attached.trace)
    known = {*unheard.Index.open(Path(pipe.config._name_or_path) / "index.json").ids, None}
    assert {step.fallback for of_one in attached.trace for step in of_one} <= known
    assert not torch.allclose(guided, plain)
    # a new trajectory each call: the same seed, the same sounds
    assert torch.equal(call(pipe), guided)
    attached.detach()
    attached.detach()
    assert torch.equal(call(pipe), plain)
    assert [parameter.requires_grad for parameter in pipe.transformer.parameters()] == trained
    assert len(attached.trace) == 4, "the trace stays"


def test_amg_follows_its_gradient_where_the_pipeline_keeps_none(pipe: StableAudioPipeline) -> None:
    always = {"lambda_min": -2.0, "lambda_max": -2.0}
    with unheard.attach(pipe, guidance=AMG(c1=0, c2=0, c3=0.0, **always)):
        without = call(pipe)
    with unheard.attach(pipe, guidance=AMG(c1=0, c2=0, c3=50.0, **always)) as attached:
        with_gradient = call(pipe)
    assert all(step.acted for of_one in attached.trace for step in of_one)
    assert not torch.allclose(without, with_gradient)


@pytest.mark.parametrize("detour", [Detour(pull=0.0), Detour(settled_pull=1e-3)], ids=["pull", "settled"])
def test_it_is_what_the_model_generates(
    pipe: StableAudioPipeline, tiny_model_folder: Path, detour: Detour
) -> None:
    """From the same noise, `unheard.load` and the pipeline agree on what the guidance does."""
    model = unheard.load(tiny_model_folder)
    noise = torch.randn(1, *model.backbone.latent_shape, generator=torch.Generator().manual_seed(0))
    options = {"sigma_min": 0.3, "sigma_max": 500.0, "num_inference_steps": 4}
    (ours,) = model.generate(
        PROMPTS[0], seed=0, guidance=detour, sampler="dpmpp_2m", guidance_scale=3.0, duration=0.8, **options
    )
    with unheard.attach(pipe, guidance=detour) as attached:
        pipe(
            PROMPTS[0], latents=noise, num_inference_steps=4, audio_end_in_s=0.8, guidance_scale=3.0,
            generator=torch.Generator().manual_seed(1),
        )  # fmt: skip
    (trace,) = attached.trace
    # the first step sees the same x: what is measured is the same
    assert trace[0].value == pytest.approx(ours.trace[0].value, rel=1e-3)
    assert trace[0].fallback == ours.trace[0].fallback


def test_what_it_cannot_guide_it_names(pipe: StableAudioPipeline) -> None:
    with unheard.attach(pipe, guidance=None) as attached:
        with pytest.raises(unheard.InputError, match="attached already"):
            unheard.attach(pipe)
        states = torch.zeros(1, 4, pipe.text_encoder.config.d_model)
        with pytest.raises(unheard.InputError, match="give text"):
            pipe(prompt_embeds=states, attention_mask=torch.ones(1, 4), num_inference_steps=1)
        assert repr(attached) == "<StableAudioPipeline with no guidance>"
        assert attached.trace == []
        pipe.scheduler, own = EDMDPMSolverMultistepScheduler(), pipe.scheduler
        with pytest.raises(unheard.InputError, match=r"a EDMDPMSolver.*: give it a CosineDPMSolver"):
            call(pipe)
        pipe.scheduler = own
    with pytest.raises(unheard.InputError, match="if_no_way is 'refuse', but a pipeline hands out every"):
        unheard.attach(pipe, guidance=unheard.Detour(if_no_way="refuse"))
    with pytest.raises(unheard.InputError, match="needs an index"):
        unheard.attach(pipe, index=None, guidance="amg")
    other = DDPMPipeline(UNet2DModel(8, 1, 1, block_out_channels=(32,), down_block_types=("DownBlock2D",),
                                     up_block_types=("UpBlock2D",)), DDPMScheduler())  # fmt: skip
    with pytest.raises(unheard.InputError, match="is a DDPMPipeline: unheard attaches to"):
        unheard.attach(other)


def test_an_error_inside_leaves_it_usable(pipe: StableAudioPipeline) -> None:
    plain = call(pipe)
    with unheard.attach(pipe, guidance=None):

        def interrupt(step: int, *_: object) -> None:
            if step == 1:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            call(pipe, callback=interrupt)
        assert (call(pipe) - plain).abs().max() < 1e-4 * plain.abs().max()
