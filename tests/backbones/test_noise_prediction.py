"""A Stable Audio pipeline that predicts noise in discrete times, against diffusers' own."""

from __future__ import annotations

import pytest
import tiny_world
import torch
from diffusers import DDIMScheduler, StableAudioPipeline
from random_backbone import backbone_of
from torch import Tensor

import unheard
from unheard.backbones.stable_audio.backbone import StableAudioBackbone
from unheard.errors import ModelError

PROMPTS = ["An acoustic drum loop, 110 bpm", "A slow piano melody"]
TIMES = {"beta_start": 0.0015, "beta_end": 0.0195, "beta_schedule": "scaled_linear", "clip_sample": False}
SCALE, STEPS = 3.0, 6

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")


@pytest.fixture(scope="module")
def pipeline() -> StableAudioPipeline:
    made = tiny_world.tiny_pipeline(seed=3)
    made.scheduler = DDIMScheduler(**TIMES, prediction_type="epsilon", steps_offset=1)
    with torch.no_grad():
        made.transformer.time_proj.weight /= 1_000
    return made


@pytest.fixture(scope="module")
def backbone(pipeline: StableAudioPipeline, tmp_path_factory: pytest.TempPathFactory) -> StableAudioBackbone:
    folder = tmp_path_factory.mktemp("epsilon")
    pipeline.save_pretrained(folder)
    return StableAudioBackbone.from_folder(folder, device=torch.device("cpu"), dtype=torch.float32)


def test_estimates_and_trajectory_equal_those_of_the_pipeline(
    pipeline: StableAudioPipeline, backbone: StableAudioBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[Tensor, Tensor, Tensor]] = []
    take = pipeline.scheduler.step

    def recording(noise: Tensor, time: Tensor, sample: Tensor, **options: object) -> object:
        taken = take(noise, time, sample, **options)
        steps.append((time, sample.clone(), taken.pred_original_sample))
        return taken

    monkeypatch.setattr(pipeline.scheduler, "step", recording)
    noise = torch.randn(len(PROMPTS), *backbone.latent_shape, generator=torch.Generator().manual_seed(1))
    pipeline(
        PROMPTS,
        latents=noise,
        guidance_scale=SCALE,
        num_inference_steps=STEPS,
        audio_end_in_s=1.0,
        output_type="latent",
    )

    timing = [0.0] * len(PROMPTS), [1.0] * len(PROMPTS)
    conditional = backbone.encode(PROMPTS, *timing)
    unconditional = backbone.encode_unconditional([None] * len(PROMPTS), *timing)

    def guided(x: Tensor, sigma: Tensor) -> Tensor:
        without = backbone.denoise(x, sigma, unconditional)
        return without + SCALE * (backbone.denoise(x, sigma, conditional) - without)

    assert len(steps) == STEPS
    sigmas = backbone.sigmas(
        unheard.Sampling(sampler="euler", num_inference_steps=STEPS, schedule="model")
    ).float()
    x = None
    for (time, z, denoised), sigma, lower in zip(steps, sigmas, sigmas[1:], strict=False):
        theirs, level = backbone.parameterisation.canonical(z, time.expand(len(z)))
        torch.testing.assert_close(level, sigma.expand(len(z)))
        torch.testing.assert_close(guided(theirs, level), denoised, rtol=1e-4, atol=1e-4)
        x = theirs if x is None else x
        torch.testing.assert_close(x, theirs, rtol=1e-3, atol=1e-3)
        estimate = guided(x, sigma.expand(len(z)))
        x = estimate + lower / sigma * (x - estimate)


def test_its_own_sampling_is_in_its_own_times(backbone: StableAudioBackbone) -> None:
    sampling = backbone.default_sampling
    assert (sampling.sampler, sampling.schedule) == ("euler", "model")
    assert backbone.sigmas(sampling)[0] < backbone.parameterisation.sigma_max == sampling.sigma_max


def test_a_scheduler_that_means_something_else_by_epsilon_is_refused(pipeline: StableAudioPipeline) -> None:
    with pytest.raises(ModelError, match=r"prediction_type 'epsilon'.*or such as predict noise"):
        backbone_of(pipeline, sigma_data=1.0)
