"""The Stable Audio 3 backbone against diffusers' own pipelines, transformer, scheduler and autoencoder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from diffusers import StableAudio3AudioToAudioPipeline
from stable_audio_3_pipeline import (
    CHANNELS,
    HOP_LENGTH,
    SAMPLE_RATE,
    stable_audio_3_backbone,
    stable_audio_3_pipeline,
)
from torch import Tensor

from unheard import Model, Sampling
from unheard.backbones.stable_audio_3.backbone import StableAudio3Backbone
from unheard.backbones.stable_audio_3.conditioning import StableAudio3Conditioning as Conditioning
from unheard.diffusion.noise import initial_noise
from unheard.diffusion.prediction import classifier_free, predict_both
from unheard.diffusion.samplers import sample_euler, sample_pingpong

PROMPTS = ["An acoustic drum loop, 110 bpm", "A slow piano melody", "Warm strings, zebra"]
NEGATIVE_PROMPTS = ["low quality noise", "", "electric guitar"]
SCALE = 7.0
DURATION = 0.7
OWN = Sampling(sampler="euler", num_inference_steps=5, guidance_scale=SCALE, schedule="model")

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")


@pytest.fixture(scope="module")
def pipeline() -> Any:
    return stable_audio_3_pipeline(3)


@pytest.fixture(scope="module")
def backbone(pipeline: Any) -> StableAudio3Backbone:
    return stable_audio_3_backbone(pipeline)


@dataclass
class Step:
    z: Tensor
    share: Tensor  # of noise, a number
    denoised: Tensor  # what the scheduler takes the guided velocity to mean


@contextmanager
def steps_of(pipeline: Any) -> Iterator[list[Step]]:
    """All that the pipeline hands to its scheduler, which computes the estimate inside of a step."""
    steps: list[Step] = []
    own = pipeline.scheduler.step

    def recording(velocity: Tensor, time: Tensor, z: Tensor, **options: Any) -> Any:
        share = pipeline.scheduler.sigmas[pipeline.scheduler.step_index or 0]
        steps.append(Step(z.clone(), share, z - share * velocity))
        return own(velocity, time, z, **options)

    pipeline.scheduler.step = recording
    try:
        yield steps
    finally:
        del pipeline.scheduler.step


def noise(backbone: StableAudio3Backbone, seed: int = 1) -> Tensor:
    shape = (len(PROMPTS), *backbone.noise_shape(DURATION))
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def conditionings(
    backbone: StableAudio3Backbone, negative_prompts: list[str] | None = None
) -> tuple[Conditioning, Conditioning]:
    timing = [0.0] * len(PROMPTS), [DURATION] * len(PROMPTS)
    nothing: list[str | None] = [None] * len(PROMPTS)
    return (
        backbone.encode(PROMPTS, *timing),
        backbone.encode_unconditional(negative_prompts or nothing, *timing),
    )


@pytest.mark.parametrize(
    "negative_prompts", [None, NEGATIVE_PROMPTS], ids=["unconditional", "negative prompt"]
)
def test_denoised_equals_that_of_the_pipeline(
    pipeline: Any, backbone: StableAudio3Backbone, negative_prompts: list[str] | None
) -> None:
    """At the five noise levels of five steps, the first of which is pure noise."""
    with steps_of(pipeline) as steps:
        pipeline(
            PROMPTS,
            DURATION,
            num_inference_steps=5,
            guidance_scale=SCALE,
            negative_prompt=negative_prompts,
            latents=noise(backbone),
            output_type="latent",
        )
    conditional, unconditional = conditionings(backbone, negative_prompts)
    both = Conditioning.cat([unconditional, conditional])
    assert len(steps) == 5
    for step in steps:
        x, sigma = backbone.parameterisation.canonical(step.z, step.share.expand(len(PROMPTS)))
        ours = classifier_free(*predict_both(backbone.denoise, x, sigma, both), SCALE)
        assert (ours - step.denoised).abs().max() < 1e-5


def test_the_comparison_would_notice(pipeline: Any, backbone: StableAudio3Backbone) -> None:
    """Prompt, its negative and the duration each move the estimate by far more than the tolerance above."""
    x, sigma = noise(backbone)[:1], torch.ones(1)

    def estimate(conditioning: Conditioning) -> Tensor:
        return backbone.denoise(x, sigma, conditioning)

    reference = estimate(backbone.encode(["A bell"], [0.0], [1.0]))
    for other in (
        backbone.encode(["A pad"], [0.0], [1.0]),
        backbone.encode(["A bell"], [0.0], [0.5]),
        backbone.encode_unconditional([None], [0.0], [1.0]),
        backbone.encode_unconditional(["noise"], [0.0], [1.0]),
    ):
        assert (estimate(other) - reference).abs().max() > 1e-3
    later = backbone.encode(["A bell"], [0.5], [1.5])
    assert torch.equal(estimate(later), reference)  # only how long it is counts
    assert not any((parameter == 0).all() for parameter in pipeline.transformer.parameters())


def test_generating_equals_the_pipeline_from_the_same_noise(
    pipeline: Any, backbone: StableAudio3Backbone
) -> None:
    seeds = [5, 6, 7]
    theirs = pipeline(
        PROMPTS,
        DURATION,
        num_inference_steps=5,
        guidance_scale=SCALE,
        negative_prompt="noise",
        latents=initial_noise(backbone.noise_shape(DURATION), seeds),
    ).audios
    ours = Model(backbone).generate(
        PROMPTS,
        duration=DURATION,
        seed=seeds,
        num_inference_steps=5,
        guidance_scale=SCALE,
        negative_prompt="noise",
        guidance=None,
        index=None,
    )
    audio = torch.stack([sound.waveform for sound in ours])
    assert audio.shape == theirs.shape == (3, 2, round(DURATION * SAMPLE_RATE))
    # The pipeline limits its waveforms; unheard says when one is beyond the limits.
    assert (audio.clamp(-1, 1) - theirs).abs().max() < 1e-4 * theirs.abs().max()
    assert (theirs[0] - theirs[1]).abs().max() > 1e-2


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_the_schedule_is_that_of_the_pipeline_whatever_its_shift(shift: float) -> None:
    pipeline = stable_audio_3_pipeline(4)
    pipeline.scheduler.set_shift(shift)
    backbone = stable_audio_3_backbone(pipeline, shift=shift)
    pipeline("A bell", 0.1, num_inference_steps=7, output_type="latent")
    shares = pipeline.scheduler.sigmas.double()
    sigmas = backbone.sigmas(Sampling(num_inference_steps=7, schedule="model"))
    torch.testing.assert_close(sigmas[1:], (shares / (1 - shares))[1:], rtol=1e-12, atol=0)
    _, times = backbone.parameterisation.native(torch.zeros(8, 1), sigmas.float())
    torch.testing.assert_close(times, pipeline.scheduler.sigmas, rtol=2e-7, atol=0)


def test_distilled_weights_equal_the_pipeline_with_the_same_fresh_noise() -> None:
    """Eight ping-pong steps at scale 1, as both sides have it by default."""
    pipeline = stable_audio_3_pipeline(5, distilled=True)
    backbone = stable_audio_3_backbone(pipeline)
    assert backbone.distilled
    sampling = backbone.default_sampling
    assert (sampling.sampler, sampling.num_inference_steps, sampling.guidance_scale) == ("pingpong", 8, 1.0)
    start, again = noise(backbone), torch.Generator().manual_seed(9)
    theirs = pipeline(
        PROMPTS, DURATION, latents=start, generator=torch.Generator().manual_seed(9), output_type="latent"
    ).audios
    assert len(pipeline.scheduler.timesteps) == 8
    conditional, _ = conditionings(backbone)
    sigmas = backbone.sigmas(sampling)
    ours = sample_pingpong(
        lambda x, sigma: backbone.denoise(x, sigma, conditional),
        float(sigmas[0]) * start,
        sigmas,
        lambda *_: torch.randn(start.shape, generator=again),
    )
    assert (ours - theirs).abs().max() < 1e-4 * theirs.abs().max()


def test_base_weights_have_the_steps_of_the_pipeline_and_the_scale_of_the_model_card(
    backbone: StableAudio3Backbone,
) -> None:
    sampling = backbone.default_sampling
    assert not backbone.distilled
    assert (sampling.sampler, sampling.num_inference_steps, sampling.guidance_scale) == ("euler", 100, 7.0)
    assert sampling.schedule == "model"


@pytest.mark.parametrize("level", [0.9, 0.5])
def test_from_an_initial_sound_equals_the_audio_to_audio_pipeline(level: float) -> None:
    """Whose schedule rises at first; it knows no guidance scale."""
    pipeline = stable_audio_3_pipeline(3, kind=StableAudio3AudioToAudioPipeline)
    backbone = stable_audio_3_backbone(pipeline)
    sound = 0.3 * torch.randn(3, 2, round(DURATION * SAMPLE_RATE), generator=torch.Generator().manual_seed(2))
    theirs = pipeline(
        PROMPTS,
        DURATION,
        audio=sound,
        init_noise_level=level,
        num_inference_steps=6,
        latents=noise(backbone),
        output_type="latent",
    ).audios
    conditional, _ = conditionings(backbone)
    sigmas = backbone.sigmas(Sampling("euler", num_inference_steps=6, schedule="model"), level)
    ours = sample_euler(
        lambda x, sigma: backbone.denoise(x, sigma, conditional),
        backbone.encode_audio(sound) + float(sigmas[0]) * noise(backbone),
        sigmas,
    )
    assert sigmas[1] > sigmas[0]
    assert (ours - theirs).abs().max() < 1e-4 * theirs.abs().max()


def test_encoding_and_decoding_are_the_autoencoders(pipeline: Any, backbone: StableAudio3Backbone) -> None:
    latents = torch.randn(2, CHANNELS, 11, generator=torch.Generator().manual_seed(0))
    audio = backbone.decode(latents)
    assert audio.shape == (2, 2, 11 * HOP_LENGTH)
    with torch.no_grad():
        assert torch.equal(audio, pipeline.vae.decode(latents).sample)
        assert torch.equal(
            backbone.encode_audio(audio[..., :-100]), pipeline.vae.encode(audio[..., :-100]).latents
        )


def test_each_sample_of_a_batch_is_what_it_is_alone(backbone: StableAudio3Backbone) -> None:
    totals, sigmas = [1.0, 0.3, 0.9], torch.tensor([400.0, 3.0, 0.3])
    x = noise(backbone) * sigmas[:, None, None]
    together = backbone.denoise(x, sigmas, backbone.encode(PROMPTS, [0.0] * 3, totals))
    for i in range(3):
        alone = backbone.encode([PROMPTS[i]], [0.0], [totals[i]])
        ours = backbone.denoise(x[i : i + 1], sigmas[i : i + 1], alone)
        torch.testing.assert_close(ours, together[i : i + 1], rtol=1e-5, atol=1e-5)
