"""The AudioLDM 2 backbone's estimates and trajectories against diffusers' own pipeline and scheduler."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from audioldm2_pipeline import SCHEDULER, backbone_of, random_pipeline
from diffusers import AudioLDM2Pipeline, DDIMScheduler, PNDMScheduler
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from unheard.backbones.audioldm2.backbone import AudioLDM2Backbone
from unheard.backbones.audioldm2.conditioning import AudioLDM2Conditioning as Conditioning
from unheard.diffusion.prediction import classifier_free, predict_both
from unheard.diffusion.samplers import sample_euler
from unheard.diffusion.settings import Sampling
from unheard.errors import InputError, ModelError

AS_LONG = ["a warm bell", "a slow piano", "a deep bass"]
OTHER_LENGTHS = ["a bell", "an acoustic drum loop and a slow piano", "warm strings"]
NEGATIVE_PROMPTS = ["low quality noise", "", "electric guitar"]
SCALE, STEPS, DURATION = 3.5, 5, 0.3


@pytest.fixture(scope="module")
def pipeline() -> AudioLDM2Pipeline:
    return random_pipeline(seed=1)


@pytest.fixture(scope="module")
def backbone(pipeline: AudioLDM2Pipeline) -> AudioLDM2Backbone:
    return backbone_of(pipeline)


@dataclass
class Run:
    """What the pipeline's scheduler was given and made of it: [steps, batch, ...] each, and the results."""

    times: Tensor
    z: Tensor
    denoised: Tensor
    latents: Tensor
    audio: Tensor


def run_pipeline(
    pipeline: AudioLDM2Pipeline, monkeypatch: pytest.MonkeyPatch, noise: Tensor, **arguments: Any
) -> Run:
    """The pipeline's own `__call__`, with what its scheduler takes for the clean latents written down."""
    steps: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    step = pipeline.scheduler.step

    def recording(output: Tensor, time: Tensor, sample: Tensor, **options: Any) -> Any:
        made = step(output, time, sample, **options)
        steps.append((time, sample.clone(), made.pred_original_sample, made.prev_sample))
        return made

    monkeypatch.setattr(pipeline.scheduler, "step", recording)
    audio = pipeline(
        latents=noise,
        guidance_scale=SCALE,
        num_inference_steps=STEPS,
        audio_length_in_s=DURATION,
        output_type="pt",
        **arguments,
    ).audios
    monkeypatch.setattr(pipeline.scheduler, "step", step)
    times, z, denoised, after = (torch.stack(list(each)) for each in zip(*steps, strict=True))
    return Run(times, z, denoised, after[-1], audio)


def run_one_by_one(
    pipeline: AudioLDM2Pipeline,
    monkeypatch: pytest.MonkeyPatch,
    noise: Tensor,
    prompts: Sequence[str],
    negative_prompts: Sequence[str] | None,
) -> Run:
    """The pipeline called for each prompt alone: in a batch it makes something else of the shorter ones."""
    runs = [
        run_pipeline(
            pipeline,
            monkeypatch,
            noise[sample : sample + 1],
            prompt=prompts[sample],
            negative_prompt=None if negative_prompts is None else negative_prompts[sample],
        )
        for sample in range(len(prompts))
    ]
    z, denoised = (torch.cat([getattr(run, name) for run in runs], dim=1) for name in ("z", "denoised"))
    latents, audio = (torch.cat([getattr(run, name) for run in runs]) for name in ("latents", "audio"))
    return Run(runs[0].times, z, denoised, latents, audio)


def conditionings(
    backbone: AudioLDM2Backbone, prompts: Sequence[str], negative_prompts: Sequence[str] | None
) -> tuple[Conditioning, Conditioning]:
    """Conditional and unconditional; that a long negative prompt is cut is tested elsewhere."""
    timing = [0.0] * len(prompts), [DURATION] * len(prompts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return backbone.encode_both(prompts, negative_prompts or [None] * len(prompts), *timing)


def assert_near(ours: Tensor, theirs: Tensor, share: float) -> None:
    """Equal up to a share of the peak."""
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() <= share * theirs.abs().max()


@pytest.mark.parametrize(
    ("prompts", "negative_prompts", "to_zero"),
    [
        (AS_LONG, None, True),
        (AS_LONG, NEGATIVE_PROMPTS, False),
        (OTHER_LENGTHS, None, False),
        (OTHER_LENGTHS, NEGATIVE_PROMPTS, True),
    ],
    ids=["as long", "as long, negative", "other lengths", "other lengths, negative"],
)
def test_denoised_and_trajectory_equal_those_of_the_pipeline(
    pipeline: AudioLDM2Pipeline,
    backbone: AudioLDM2Backbone,
    monkeypatch: pytest.MonkeyPatch,
    prompts: list[str],
    negative_prompts: list[str] | None,
    to_zero: bool,
) -> None:
    monkeypatch.setattr(pipeline, "scheduler", DDIMScheduler(**SCHEDULER | {"set_alpha_to_one": to_zero}))
    shape = backbone.noise_shape(DURATION)
    noise = torch.randn(len(prompts), *shape, generator=torch.Generator().manual_seed(1))
    if prompts is AS_LONG:
        run = run_pipeline(pipeline, monkeypatch, noise, prompt=prompts, negative_prompt=negative_prompts)
    else:
        run = run_one_by_one(pipeline, monkeypatch, noise, prompts, negative_prompts)
    conditional, unconditional = conditionings(backbone, prompts, negative_prompts)
    both = Conditioning.cat([unconditional, conditional])

    def guided(x: Tensor, sigma: Tensor) -> Tensor:
        return classifier_free(*predict_both(backbone.denoise, x, sigma, both), SCALE)

    # Step by step, on the pipeline's latents.
    assert len(run.times) == STEPS
    for time, z, denoised in zip(run.times, run.z, run.denoised, strict=True):
        x, sigma = backbone.parameterisation.canonical(z, time.expand(len(prompts)))
        assert_near(guided(x, sigma), denoised, 1e-5)

    # The whole way on our own. Where DDIM stops at a little noise, its last estimate has none.
    start, _ = backbone.parameterisation.canonical(noise, run.times[:1].expand(len(prompts)))
    sigmas = backbone.sigmas(Sampling(num_inference_steps=STEPS, schedule="model"))
    latents = sample_euler(guided, start, sigmas)
    assert_near(latents, run.denoised[-1], 1e-5)
    if to_zero:
        assert_near(latents, run.latents, 1e-5)
        samples = run.audio.shape[1]
        assert_near(backbone.decode(latents)[:, 0, :samples], run.audio, 1e-4)


def test_the_comparison_would_notice(pipeline: AudioLDM2Pipeline, backbone: AudioLDM2Backbone) -> None:
    """Each stream of each text moves the estimate by far more than the tolerance above."""
    x = torch.randn(1, *backbone.noise_shape(DURATION), generator=torch.Generator().manual_seed(0))
    sigma = torch.ones(1)
    one, other = (backbone.encode([prompt], [0.0], [1.0]) for prompt in AS_LONG[:2])
    estimate = backbone.denoise(x, sigma, one)
    shorter = one.presence.clone()
    shorter[:, -1] = 0
    for told in (
        Conditioning(other.generated, one.text, one.presence),
        Conditioning(one.generated, other.text, one.presence),
        Conditioning(one.generated, one.text, shorter),
        backbone.encode_unconditional([None], [0.0], [1.0]),
        backbone.encode_unconditional(["noise"], [0.0], [1.0]),
    ):
        assert (backbone.denoise(x, sigma, told) - estimate).abs().max() > 1e-3 * estimate.abs().max()


def test_a_batch_of_the_pipeline_is_not_what_its_prompts_are_alone(
    pipeline: AudioLDM2Pipeline, backbone: AudioLDM2Backbone
) -> None:
    """GPT-2 counts the padding up to the longest prompt; so prompts are encoded one at a time here."""
    _, _, together = pipeline.encode_prompt(OTHER_LENGTHS[:2], "cpu", 1, False)
    ours = backbone.encode(OTHER_LENGTHS[:2], [0.0] * 2, [1.0] * 2)
    for sample, prompt in enumerate(OTHER_LENGTHS[:2]):
        states, mask, alone = pipeline.encode_prompt(prompt, "cpu", 1, False)
        torch.testing.assert_close(ours.generated[sample], alone[0], rtol=0, atol=1e-6)
        torch.testing.assert_close(ours.text[sample, : mask.sum()], states[0], rtol=0, atol=1e-6)
        assert ours.presence[sample].sum() == mask.sum()
    assert (together[0] - ours.generated[0]).abs().max() > 0.01
    torch.testing.assert_close(together[1], ours.generated[1], rtol=0, atol=1e-5)


def test_a_negative_prompt_is_read_as_far_as_its_prompt_is_long(backbone: AudioLDM2Backbone) -> None:
    with pytest.warns(
        UserWarning, match="'low quality noise' has 3 tokens, of which random beside it reads 2"
    ):
        _, cut = backbone.encode_both(["a bell"], ["low quality noise"], [0.0], [1.0])
    assert cut.text.shape[1] == 3
    _, padded = backbone.encode_both(["a bell"], ["noise"], [0.0], [1.0])
    assert padded.presence.tolist() == [[1.0, 1.0, 0.0]]
    alone = backbone.encode_unconditional(["noise"], [0.0], [1.0])
    assert alone.presence.tolist() == [[1.0, 1.0]]


def test_a_prompt_beyond_the_limit_is_cut_with_a_warning(backbone: AudioLDM2Backbone) -> None:
    with pytest.warns(UserWarning, match="has 40 tokens, of which random reads 31"):
        assert backbone.encode(["bell " * 40], [0.0], [1.0]).text.shape[1] == 32


def test_a_denoised_estimate_has_a_gradient(backbone: AudioLDM2Backbone) -> None:
    """In float64, by central differences along one direction."""
    double = backbone_of(random_pipeline(seed=1).to(torch.float64))
    told = double.encode(["a bell"], [0.0], [1.0])
    generator = torch.Generator().manual_seed(3)
    x, way = torch.randn(2, 1, *double.noise_shape(0.16), generator=generator, dtype=torch.float64)
    sigma = torch.tensor([2.0], dtype=torch.float64)
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(double.denoise(x, sigma, told).square().sum(), x)
    with torch.no_grad():
        after, before = (double.denoise(x + h * way, sigma, told).square().sum() for h in (1e-5, -1e-5))
    assert float((gradient * way).sum()) == pytest.approx(float(after - before) / 2e-5, rel=1e-6)


@pytest.mark.parametrize("spacing", ["leading", "linspace", "trailing"])
@pytest.mark.parametrize("steps", [1, 7, 200])
def test_the_schedule_is_that_of_the_scheduler(pipeline: AudioLDM2Pipeline, spacing: str, steps: int) -> None:
    backbone = backbone_of(pipeline, timestep_spacing=spacing)
    scheduler = DDIMScheduler(**SCHEDULER | {"timestep_spacing": spacing})
    scheduler.set_timesteps(steps)
    alphas = scheduler.alphas_cumprod[scheduler.timesteps].double()
    sigmas = backbone.sigmas(Sampling(num_inference_steps=steps, schedule="model"))
    torch.testing.assert_close(sigmas[:-1], ((1 - alphas) / alphas).sqrt())
    assert sigmas[-1] == 0


def test_a_schedule_can_begin_at_a_noise_level(backbone: AudioLDM2Backbone) -> None:
    sampling = Sampling(num_inference_steps=8, schedule="model")
    sigmas = backbone.sigmas(sampling, 5.0)
    assert float(sigmas[0]) == pytest.approx(5.0)
    assert len(sigmas) == 9
    assert (sigmas.diff() < 0).all()
    highest = backbone.parameterisation.sigma_max
    assert highest == pytest.approx(83.82, abs=0.01)
    for level in (0.0, 84.0):
        with pytest.raises(InputError, match="init_noise_level is"):
            backbone.sigmas(sampling, level)
    with pytest.raises(InputError, match=r"sigma_max is 500: .* at most 83.82"):
        backbone.sigmas(Sampling())
    assert float(backbone.sigmas(Sampling(sigma_max=highest))[0]) == pytest.approx(highest)
    with pytest.raises(InputError, match="num_inference_steps is 1001: random has 1000 times"):
        backbone.sigmas(Sampling(num_inference_steps=1001, schedule="model"))


def test_a_schedulers_class_does_not_matter_but_its_parameterisation_does(
    pipeline: AudioLDM2Pipeline, backbone: AudioLDM2Backbone
) -> None:
    config = PNDMScheduler.from_config(pipeline.scheduler.config, skip_prk_steps=True).config
    other = backbone_of(pipeline, **config)
    assert torch.equal(other.sigmas(other.default_sampling), backbone.sigmas(backbone.default_sampling))
    for setting, value in (
        ("prediction_type", "v_prediction"),
        ("rescale_betas_zero_snr", True),
        ("clip_sample", True),
        ("thresholding", True),
    ):
        with pytest.raises(ModelError, match=f"the scheduler of random has {setting} {value!r}"):
            backbone_of(pipeline, **{setting: value})


@given(st.integers(4, 6000), st.integers(0, 159))
def test_frames_are_the_pipelines_wherever_those_suffice(hundredths: int, more: int) -> None:
    """The pipeline rounds down to 10 ms and up to frames of 40 ms."""
    backbone = AudioLDM2Backbone.__new__(AudioLDM2Backbone)
    backbone.name, backbone.sample_rate, backbone.hop_length, backbone.max_duration = (
        "bare",
        16_000,
        640,
        60.01,
    )
    duration = hundredths / 100 + more / 16_000
    factor = np.prod([5, 4, 2, 2, 2]) / 16_000
    height = math.ceil(int(duration / factor) / 4)
    samples = round(duration * 16_000)
    frames = backbone.frames(duration)
    assert frames == height if height * 640 >= samples else frames == height + 1
    assert 0 <= frames * 640 - samples < 640


def test_durations_out_of_range_are_refused(backbone: AudioLDM2Backbone) -> None:
    for duration in (0.0, -1.0, math.nan):
        with pytest.raises(InputError, match="give seconds above 0"):
            backbone.frames(duration)
    with pytest.raises(InputError, match=r"duration is 61.0 s: random makes 60 s at most"):
        backbone.frames(61.0)
