"""`unheard.attach` on Stable Audio 3's pipelines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    FlowMatchEulerDiscreteScheduler,
    FlowMatchHeunDiscreteScheduler,
    StableAudio3AudioToAudioPipeline,
    StableAudio3InpaintPipeline,
)
from stable_audio_3_pipeline import SAMPLE_RATE, stable_audio_3_pipeline
from tiny_world import build_index
from torch import Tensor

import unheard
from unheard import AMG, Detour

PROMPTS = ["A bell", "An acoustic drum loop, 110 bpm"]
NEGATIVE_PROMPTS = ["drums", "a low piano"]
DURATION = 0.3

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")


@pytest.fixture(scope="module")
def base() -> Any:
    return stable_audio_3_pipeline(3)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_index(tmp_path_factory.mktemp("index") / "index.json")


def call(pipe: Any, **options: Any) -> Tensor:
    """Four sounds, two a prompt, from one seed."""
    given = {
        "num_inference_steps": 4,
        "num_waveforms_per_prompt": 2,
        "generator": torch.Generator().manual_seed(0),
        **options,
    }
    return pipe(PROMPTS, DURATION, **given).audios


@pytest.mark.parametrize(
    ("distilled", "options"),
    [
        (False, {"guidance_scale": 7.0, "negative_prompt": NEGATIVE_PROMPTS}),
        (False, {"guidance_scale": 7.0, "silence_padding_duration": 0.2}),
        (False, {"guidance_scale": 1.0}),
        (True, {"num_inference_steps": None}),
        (True, {"guidance_scale": 3.0}),
    ],
    ids=["negative", "silence behind", "scale 1", "ping-pong", "ping-pong, guided"],
)
def test_without_guidance_it_is_the_pipelines_own_result(distilled: bool, options: dict[str, Any]) -> None:
    pipe = stable_audio_3_pipeline(3, distilled=distilled)
    plain = call(pipe, **options)
    with unheard.attach(pipe, guidance=None) as attached:
        guided = call(pipe, **options)
    assert (guided - plain).abs().max() < 1e-4 * plain.abs().max()
    assert [len(of_one) for of_one in attached.trace] == [8 if "num_inference_steps" in options else 4] * 4
    assert (plain[0] - plain[2]).abs().max() > 1e-2


@pytest.mark.parametrize("shift", [3.0, 0.5])
def test_with_a_scheduler_of_other_times_too(shift: float) -> None:
    pipe = stable_audio_3_pipeline(3)
    pipe.scheduler = FlowMatchEulerDiscreteScheduler(
        num_train_timesteps=1, shift=shift, use_exponential_sigmas=True
    )
    plain = call(pipe, guidance_scale=7.0)
    with unheard.attach(pipe, guidance=None):
        guided = call(pipe, guidance_scale=7.0)
    assert (guided - plain).abs().max() < 1e-4 * plain.abs().max()


def test_audio_to_audio_is_guided_as_well(index: Path, tiny_clap_folder: Path) -> None:
    pipe = stable_audio_3_pipeline(3, kind=StableAudio3AudioToAudioPipeline)
    sound = 0.3 * torch.randn(2, 2, round(DURATION * SAMPLE_RATE), generator=torch.Generator().manual_seed(2))
    options = {"audio": sound, "init_noise_level": 0.7}
    plain = call(pipe, **options)
    with unheard.attach(pipe, guidance=None):
        guided = call(pipe, **options)
    assert (guided - plain).abs().max() < 1e-4 * plain.abs().max()
    known = {"index": index, "embedder": tiny_clap_folder}
    with unheard.attach(pipe, guidance=Detour(pull=0.0), **known) as attached:
        assert not torch.allclose(call(pipe, **options), plain)
    # The prompt's pull is asked in the first step, whatever the noise in which the sound begins.
    assert [[step.acted for step in of_one] for of_one in attached.trace] == [[True] * 4] * 4


@pytest.mark.parametrize("distilled", [False, True])
def test_the_detour_acts_on_each_sound_and_leaves_nothing_behind(
    index: Path, tiny_clap_folder: Path, distilled: bool
) -> None:
    """At scale 1 too, where distilled weights are: it exchanges the prompt."""
    pipe = stable_audio_3_pipeline(3, distilled=distilled)
    options = {"guidance_scale": 1.0 if distilled else 7.0}
    plain = call(pipe, **options)
    known = {"index": index, "embedder": tiny_clap_folder}
    with unheard.attach(pipe, guidance=Detour(pull=0.0), **known) as attached:
        guided = call(pipe, **options)
        assert torch.equal(call(pipe, **options), guided), "a new trajectory each call"
    assert all(step.acted for of_one in attached.trace for step in of_one)
    assert (guided - plain).abs().amax(dim=(1, 2)).min() > 1e-3
    assert torch.equal(call(pipe, **options), plain)


def test_the_gradient_of_amg_acts_at_scale_1(base: Any, index: Path, tiny_clap_folder: Path) -> None:
    always = {"lambda_min": -2.0, "lambda_max": -2.0}
    sounds = []
    for weights in ({"c1": 4.0, "c2": 3.0, "c3": 0.0}, {"c1": 4.0, "c2": 3.0, "c3": 50.0}):
        guidance = AMG(**weights, **always)
        with (
            unheard.attach(base, index=index, guidance=guidance, embedder=tiny_clap_folder) as attached,
            pytest.warns(unheard.GuidanceWarning, match=r"1\.0 leaves no room for c1 and c2"),
        ):
            sounds.append(call(base))
        assert all(step.acted for of_one in attached.trace for step in of_one)
    plain = call(base)
    assert (sounds[0] - plain).abs().max() < 1e-4 * plain.abs().max()
    assert (sounds[1] - plain).abs().max() > 1e-2 * plain.abs().max()


def test_what_it_cannot_guide_it_names(base: Any) -> None:
    with unheard.attach(base, guidance=None):
        with pytest.raises(unheard.InputError, match=r"duration is 5\.0 s: .* makes 2 s at most"):
            base(PROMPTS, 5.0)
        base.scheduler, own = FlowMatchHeunDiscreteScheduler(1), base.scheduler
        with pytest.raises(unheard.InputError, match=r"a FlowMatchHeun.* give it a FlowMatchEuler"):
            call(base)
        base.scheduler = own
    inpaint = stable_audio_3_pipeline(3, kind=StableAudio3InpaintPipeline)
    with pytest.raises(unheard.InputError, match="is a StableAudio3InpaintPipeline: unheard attaches to"):
        unheard.attach(inpaint)
    thousand = stable_audio_3_pipeline(3)
    thousand.scheduler = FlowMatchEulerDiscreteScheduler()
    with pytest.raises(unheard.ModelError, match="num_train_timesteps 1000"):
        unheard.attach(thousand)
