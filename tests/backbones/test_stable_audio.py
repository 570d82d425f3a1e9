"""The Stable Audio backbone against diffusers' own pipeline, transformer, scheduler and autoencoder."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tiny_world
import torch
from diffusers import CosineDPMSolverMultistepScheduler, StableAudioPipeline
from hypothesis import given, settings
from hypothesis import strategies as st
from random_backbone import backbone_of
from torch import Tensor

from unheard.backbones.stable_audio.backbone import StableAudioBackbone
from unheard.backbones.stable_audio.conditioning import StableAudioConditioning as Conditioning
from unheard.errors import InputError

PROMPTS = ["An acoustic drum loop, 110 bpm", "A slow piano melody", "Warm strings, zebra"]
NEGATIVE_PROMPTS = ["low quality noise", "", "electric guitar"]
SCALE = 7.0
CPU = torch.device("cpu")

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*weight_norm.*:FutureWarning", "ignore:Should have .*:UserWarning:torchsde"
)


@pytest.fixture(scope="module")
def pipeline() -> StableAudioPipeline:
    """Stereo, and with a text projection: its bias shows whether padding is masked after it."""
    return tiny_world.tiny_pipeline(seed=3, audio_channels=2, text_dimension=24)


@pytest.fixture(scope="module")
def backbone(pipeline: StableAudioPipeline) -> StableAudioBackbone:
    return backbone_of(pipeline)


@dataclass
class Step:
    sigma: Tensor
    x: Tensor
    denoised: Tensor  # what the scheduler made of the guided prediction


@dataclass
class Run:
    steps: list[Step]
    latents: Tensor
    audio: Tensor


def run_pipeline(
    pipeline: StableAudioPipeline, monkeypatch: pytest.MonkeyPatch, latents: Tensor, **arguments: Any
) -> Run:
    """The pipeline's own `__call__`, with all that its scheduler converts written down."""
    steps: list[Step] = []
    scheduler = pipeline.scheduler
    convert = scheduler.convert_model_output

    def recording(model_output: Tensor, sample: Tensor) -> Tensor:
        denoised = convert(model_output, sample=sample)
        steps.append(Step(scheduler.sigmas[scheduler.step_index], sample.clone(), denoised.clone()))
        return denoised

    monkeypatch.setattr(scheduler, "convert_model_output", recording)
    arguments = {"guidance_scale": SCALE, "num_inference_steps": 6, "audio_end_in_s": 1.0} | arguments
    final = pipeline(
        latents=latents, generator=torch.Generator().manual_seed(5), output_type="latent", **arguments
    ).audios
    monkeypatch.setattr(scheduler, "convert_model_output", convert)
    audio = pipeline(latents=latents, generator=torch.Generator().manual_seed(5), **arguments).audios
    return Run(steps, final, audio)


def conditionings(
    backbone: StableAudioBackbone, negative_prompts: list[str] | None, start: float, total: float
) -> tuple[Conditioning, Conditioning]:
    timing = [start] * len(PROMPTS), [total] * len(PROMPTS)
    nothing: list[str | None] = [None] * len(PROMPTS)
    return backbone.encode(PROMPTS, *timing), backbone.encode_unconditional(
        negative_prompts or nothing, *timing
    )


def guided(
    backbone: StableAudioBackbone,
    x: Tensor,
    sigma: Tensor,
    conditional: Conditioning,
    unconditional: Conditioning,
) -> Tensor:
    """Classifier-free guidance on denoised estimates, both from one call as the pipeline does it."""
    both = backbone.denoise(
        torch.cat([x, x]), sigma.expand(2 * len(x)), Conditioning.cat([unconditional, conditional])
    )
    without, with_prompt = both.chunk(2)
    return without + SCALE * (with_prompt - without)


@pytest.mark.parametrize(
    "negative_prompts", [None, NEGATIVE_PROMPTS], ids=["unconditional", "negative prompt"]
)
@pytest.mark.parametrize(("start", "total"), [(0.0, 1.0), (0.25, 0.75)])
def test_denoised_and_trajectory_equal_those_of_the_pipeline(
    pipeline: StableAudioPipeline,
    backbone: StableAudioBackbone,
    monkeypatch: pytest.MonkeyPatch,
    negative_prompts: list[str] | None,
    start: float,
    total: float,
) -> None:
    noise = torch.randn(len(PROMPTS), *backbone.latent_shape, generator=torch.Generator().manual_seed(1))
    run = run_pipeline(
        pipeline,
        monkeypatch,
        noise,
        prompt=PROMPTS,
        negative_prompt=negative_prompts,
        audio_start_in_s=start,
        audio_end_in_s=total,
    )
    conditional, unconditional = conditionings(backbone, negative_prompts, start, total)

    # Step by step, on the pipeline's latents.
    assert len(run.steps) == 6
    for step in run.steps:
        ours = guided(backbone, step.x, step.sigma, conditional, unconditional)
        torch.testing.assert_close(ours, step.denoised, rtol=1e-4, atol=1e-5)

    # The whole way on our own: the scheduler only takes the steps, its conversion is ours.
    scheduler = CosineDPMSolverMultistepScheduler.from_config(pipeline.scheduler.config)
    scheduler.set_timesteps(6)
    x = noise * scheduler.init_noise_sigma
    monkeypatch.setattr(scheduler, "convert_model_output", lambda output, sample: output)
    for number, time in enumerate(scheduler.timesteps):
        denoised = guided(backbone, x, scheduler.sigmas[number], conditional, unconditional)
        x = scheduler.step(denoised, time, x, generator=torch.Generator().manual_seed(5)).prev_sample
    torch.testing.assert_close(x, run.latents, rtol=1e-4, atol=1e-4)
    audio = backbone.decode(x)[:, :, int(start * 16_000) : int(total * 16_000)]
    torch.testing.assert_close(audio, run.audio, rtol=1e-3, atol=1e-5)


def test_the_comparison_would_notice(pipeline: StableAudioPipeline, backbone: StableAudioBackbone) -> None:
    """Prompt, negative prompt and timing all move the estimate by far more than the tolerance above."""
    x = torch.randn(1, *backbone.latent_shape, generator=torch.Generator().manual_seed(0))
    sigma = torch.ones(1)

    def estimate(conditioning: Conditioning) -> Tensor:
        return backbone.denoise(x, sigma, conditioning)

    reference = estimate(backbone.encode(["A bell"], [0.0], [1.0]))
    for other in (
        backbone.encode(["A pad"], [0.0], [1.0]),
        backbone.encode(["A bell"], [0.5], [1.0]),
        backbone.encode(["A bell"], [0.0], [0.5]),
        backbone.encode_unconditional([None], [0.0], [1.0]),
        backbone.encode_unconditional(["noise"], [0.0], [1.0]),
    ):
        assert (estimate(other) - reference).abs().max() > 1e-3
    nothing = estimate(backbone.encode_unconditional([None], [0.0], [1.0]))
    assert (estimate(backbone.encode_unconditional([None], [0.0], [0.5])) - nothing).abs().max() > 1e-3
    assert (estimate(backbone.encode_unconditional([""], [0.0], [1.0])) - nothing).abs().max() > 1e-4


def test_each_sample_of_a_batch_is_what_it_is_alone(backbone: StableAudioBackbone) -> None:
    starts, totals, sigmas = [0.0, 0.2, 0.5], [1.0, 0.7, 0.9], torch.tensor([400.0, 3.0, 0.3])
    x = (
        torch.randn(3, *backbone.latent_shape, generator=torch.Generator().manual_seed(2))
        * sigmas[:, None, None]
    )
    negative_prompts = [None, "noise", ""]
    conditional = backbone.encode(PROMPTS, starts, totals)
    unconditional = backbone.encode_unconditional(negative_prompts, starts, totals)
    for encoded, encode, texts in (
        (conditional, backbone.encode, PROMPTS),
        (unconditional, backbone.encode_unconditional, negative_prompts),
    ):
        together = backbone.denoise(x, sigmas, encoded)
        for i in range(3):
            alone = encode([texts[i]], [starts[i]], [totals[i]])  # type: ignore[operator]
            torch.testing.assert_close(
                backbone.denoise(x[i : i + 1], sigmas[i : i + 1], alone),
                together[i : i + 1],
                rtol=1e-4,
                atol=1e-5,
            )


def test_decode_equals_the_autoencoders(pipeline: StableAudioPipeline, backbone: StableAudioBackbone) -> None:
    latents = torch.randn(2, 8, 11, generator=torch.Generator().manual_seed(0))
    audio = backbone.decode(latents)
    assert audio.shape == (2, 2, 11 * backbone.hop_length)
    torch.testing.assert_close(audio, pipeline.vae.decode(latents).sample, rtol=0, atol=0)


def test_gradient_through_denoiser_and_decoder_equals_finite_differences() -> None:
    pipeline = tiny_world.tiny_pipeline(seed=4)
    for part in (pipeline.vae, pipeline.text_encoder, pipeline.projection_model, pipeline.transformer):
        part.double()
    backbone = backbone_of(pipeline)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, *backbone.latent_shape, generator=generator, dtype=torch.float64, requires_grad=True)
    direction = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    conditioning = backbone.encode(["A bell"], [0.0], [1.0])

    def loudness(x: Tensor) -> Tensor:
        return backbone.decode(backbone.denoise(x, torch.tensor([2.0]), conditioning)).square().mean()

    (gradient,) = torch.autograd.grad(loudness(x), x)
    with torch.no_grad():
        h = 1e-3  # no smaller: diffusers' rotary attention rounds queries to float32 whatever the weights are
        numeric = (loudness(x + h * direction) - loudness(x - h * direction)) / (2 * h)
    torch.testing.assert_close((gradient * direction).sum(), numeric, rtol=1e-4, atol=0)


def test_weights_are_frozen_and_conditioning_has_no_graph(backbone: StableAudioBackbone) -> None:
    conditioning = backbone.encode(["A bell"], [0.0], [1.0])
    assert not conditioning.cross_attention.requires_grad
    assert not backbone.denoise(
        torch.zeros(1, *backbone.latent_shape), torch.ones(1), conditioning
    ).requires_grad
    for module in (backbone.vae, backbone.text_encoder, backbone.projection_model, backbone.transformer):
        assert not module.training
        assert not any(parameter.requires_grad for parameter in module.parameters())


def test_conditioning_selects_and_joins(backbone: StableAudioBackbone) -> None:
    conditioning = backbone.encode(PROMPTS, [0.0] * 3, [1.0] * 3)
    chosen = Conditioning.cat([conditioning.select([2]), conditioning.select(torch.tensor([0, 0]))])
    assert len(conditioning) == len(chosen) == 3
    for name in ("cross_attention", "global_states"):
        assert torch.equal(getattr(chosen, name), getattr(conditioning, name)[[2, 0, 0]])
    assert len(conditioning.select([])) == 0


# Prompts and timing


def test_long_prompt_is_cut_as_the_pipeline_cuts_it_with_a_warning(
    pipeline: StableAudioPipeline, backbone: StableAudioBackbone
) -> None:
    long = "a warm bell " * 11 + "zebra"  # 33 words of one token and 6 tokens of characters
    with pytest.warns(
        UserWarning, match=r"39 tokens, of which random reads 31: it loses the last 8, from '.*bell"
    ):
        ours = backbone.encode([long], [0.0], [1.0])
    theirs = pipeline.encode_prompt([long], CPU, do_classifier_free_guidance=False)
    torch.testing.assert_close(ours.cross_attention[:, :-2], theirs, rtol=0, atol=0)


def test_prompt_that_just_fits_is_not_warned_of(backbone: StableAudioBackbone) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        backbone.encode(["bell " * (tiny_world.MAX_TOKENS - 1)], [0.0], [1.0])


def test_ten_thousand_characters_make_one_short_warning(backbone: StableAudioBackbone) -> None:
    with pytest.warns(UserWarning, match="it loses") as caught:
        conditioning = backbone.encode(["x" * 10_000], [0.0], [1.0])
    assert len(caught) == 1
    assert len(str(caught[0].message)) < 300
    assert conditioning.cross_attention.isfinite().all()


def test_bad_conditioning_is_refused(backbone: StableAudioBackbone) -> None:
    with pytest.raises(InputError, match="2 prompts, 1 start and 2 totals"):
        backbone.encode(["a", "b"], [0.0], [1.0, 1.0])
    with pytest.raises(InputError, match="the prompt 7 is not text but of type int"):
        backbone.encode([7], [0.0], [1.0])  # type: ignore[list-item]
    with pytest.raises(InputError, match="nan: give seconds as finite numbers"):
        backbone.encode(["a"], [math.nan], [1.0])


@settings(max_examples=50, deadline=None)
@given(samples=st.integers(1, 32 * 512))
def test_frames_cover_the_duration_and_no_more(backbone: StableAudioBackbone, samples: int) -> None:
    frames = backbone.frames(samples / 16_000)
    assert (frames - 1) * 512 < samples <= frames * 512


def test_frames_refuses_what_the_model_cannot_make(backbone: StableAudioBackbone) -> None:
    assert backbone.frames(backbone.max_duration) == backbone.latent_shape[1]
    for duration in (0.0, -1.0, math.nan):
        with pytest.raises(InputError, match="give seconds above 0"):
            backbone.frames(duration)
    for duration in (1.03, math.inf):
        with pytest.raises(InputError, match=r"random makes 1\.024 s at most"):
            backbone.frames(duration)


# The published size


def test_every_shape_fits_at_the_published_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    from full_size import full_size_backbone

    # An optimisation of transformers that looks into the mask's values, and a tensor on meta has none.
    monkeypatch.setattr("transformers.masking_utils._ignore_bidirectional_mask_sdpa", lambda *_: False)
    backbone = full_size_backbone("meta")
    assert sum(parameter.numel() for parameter in backbone.transformer.parameters()) == 1_056_939_136
    assert sum(parameter.numel() for parameter in backbone.vae.parameters()) == 156_112_514
    assert backbone.latent_shape == (64, 1024)
    assert backbone.max_duration == pytest.approx(47.554, abs=1e-3)
    assert backbone.frames(10.0) == 216  # 441,000 samples in hops of 2,048

    conditional = backbone.encode(["a", "b"], [0.0, 0.0], [10.0, 20.0])
    unconditional = backbone.encode_unconditional([None, "c"], [0.0, 0.0], [10.0, 20.0])
    both = Conditioning.cat([unconditional, conditional])
    assert both.cross_attention.shape == (4, 130, 768)
    assert both.global_states.shape == (4, 1, 1536)
    denoised = backbone.denoise(torch.empty(4, 64, 1024, device="meta"), torch.empty(4, device="meta"), both)
    assert denoised.shape == (4, 64, 1024)
    assert backbone.decode(denoised[:1, :, : backbone.frames(10.0)]).shape == (1, 2, 442_368)
