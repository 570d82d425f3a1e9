"""The LongCat backbone against diffusers' own pipeline, transformer, scheduler and autoencoder."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest
import torch
from diffusers import LongCatAudioDiTPipeline
from hypothesis import given, settings
from hypothesis import strategies as st
from longcat_pipeline import FEATURES, HOP, RATE, longcat_backbone, longcat_pipeline
from torch import Tensor, nn

from unheard import Model, Sampling
from unheard.backbones.longcat.backbone import CONTEXT, LongCatBackbone
from unheard.backbones.sequences import SequenceConditioning as Conditioning
from unheard.diffusion.noise import initial_noise
from unheard.diffusion.prediction import classifier_free, predict_both
from unheard.errors import InputError
from unheard.generation.defaults import Defaults

PROMPTS = ["An acoustic drum  loop, 110 bpm", 'A "slow" piano \u2018melody\u2019', "Warm strings, zebra"]
NEGATIVE_PROMPTS = ["Low quality noise", "", 'electric "guitar"']
SCALE, FRAMES, STEPS = 4.0, 12, 6
NOTHING = [None] * len(PROMPTS)
TIMING = [0.0] * len(PROMPTS), [FRAMES * HOP / RATE] * len(PROMPTS)

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")


@pytest.fixture(scope="module")
def pipeline() -> LongCatAudioDiTPipeline:
    return longcat_pipeline(seed=3, shift=2.0)


@pytest.fixture(scope="module")
def backbone(pipeline: LongCatAudioDiTPipeline) -> LongCatBackbone:
    return longcat_backbone(pipeline)


@dataclass
class Step:
    time: float  # the share of sound
    z: Tensor
    denoised: Tensor  # where the scheduler would go in one step from here


@contextmanager
def recorded(pipeline: LongCatAudioDiTPipeline) -> Iterator[list[Step]]:
    """The steps that the pipeline's scheduler takes."""
    steps: list[Step] = []
    scheduler = pipeline.scheduler
    step = scheduler.step

    def recording(velocity: Tensor, time: Tensor, z: Tensor, **options: object) -> object:
        share = float(scheduler.sigmas[len(steps)])
        steps.append(Step(share, z.clone(), z + (float(scheduler.sigmas[-1]) - share) * velocity))
        return step(velocity, time, z, **options)

    scheduler.step = recording
    try:
        yield steps
    finally:
        del scheduler.step


def guided(backbone: LongCatBackbone, step: Step, both: Conditioning) -> Tensor:
    share = torch.full((len(step.z),), 1 - step.time, dtype=torch.float64)
    x, sigma = backbone.parameterisation.canonical(step.z, (1 - share).to(step.z))
    return classifier_free(*predict_both(backbone.denoise, x, sigma, both), SCALE)


def noise(samples: int = len(PROMPTS), seed: int = 1) -> Tensor:
    return torch.randn(samples, FRAMES, FEATURES, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("negative_prompts", [None, NEGATIVE_PROMPTS], ids=["nothing", "negative prompt"])
def test_denoised_equals_the_pipelines_for_each_prompt_alone(
    pipeline: LongCatAudioDiTPipeline, backbone: LongCatBackbone, negative_prompts: list[str] | None
) -> None:
    conditional, unconditional = backbone.encode_both(PROMPTS, negative_prompts or NOTHING, *TIMING)
    alone = []
    for sample, prompt in enumerate(PROMPTS):
        with recorded(pipeline) as steps:
            pipeline(
                prompt,
                negative_prompt=None if negative_prompts is None else negative_prompts[sample],
                latents=noise()[sample : sample + 1],
                num_inference_steps=STEPS,
                guidance_scale=SCALE,
                output_type="latent",
            )
        alone.append(steps)
    both = Conditioning.cat([unconditional, conditional])
    for number in range(STEPS):
        together = Step(
            alone[0][number].time,
            torch.cat([steps[number].z for steps in alone]),
            torch.cat([steps[number].denoised for steps in alone]),
        )
        torch.testing.assert_close(guided(backbone, together, both), together.denoised, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("negative_prompts", [None, NEGATIVE_PROMPTS], ids=["nothing", "negative prompt"])
def test_denoised_equals_the_pipelines_for_a_batch_as_it_pads_it(
    pipeline: LongCatAudioDiTPipeline, backbone: LongCatBackbone, negative_prompts: list[str] | None
) -> None:
    with recorded(pipeline) as steps:
        pipeline(
            PROMPTS,
            negative_prompt=negative_prompts,
            latents=noise(),
            num_inference_steps=STEPS,
            guidance_scale=SCALE,
            output_type="latent",
        )
    conditional, negative = backbone.encode_both(PROMPTS, NEGATIVE_PROMPTS, *TIMING)
    conditional, negative = padded(conditional), padded(negative)
    unconditional = conditional.without_text() if negative_prompts is None else negative
    both = Conditioning.cat([unconditional, conditional])
    for step in steps:
        torch.testing.assert_close(guided(backbone, step, both), step.denoised, rtol=1e-5, atol=1e-5)


def padded(conditioning: Conditioning) -> Conditioning:
    """All as long as the longest, as the pipeline has a batch."""
    return replace(conditioning, lengths=(max(conditioning.lengths),) * len(conditioning))


@pytest.mark.parametrize("negative_prompt", [None, NEGATIVE_PROMPTS[0]], ids=["nothing", "negative prompt"])
def test_sounds_equal_the_pipelines(
    pipeline: LongCatAudioDiTPipeline, backbone: LongCatBackbone, negative_prompt: str | None
) -> None:
    """The whole way from noise to sound, in the model's own times."""
    model = Model(backbone, Defaults(sampling=backbone.default_sampling, guidance=None))
    duration = FRAMES * HOP / RATE
    sounds = model.generate(PROMPTS, seed=[4, 5, 6], duration=duration, negative_prompt=negative_prompt)
    for prompt, sound in zip(PROMPTS, sounds, strict=True):
        latents = initial_noise(backbone.noise_shape(duration), [sound.seed])
        options = {"num_inference_steps": 16, "guidance_scale": 4.0, "output_type": "pt"}
        (theirs,) = pipeline(prompt, negative_prompt, latents=latents, **options).audios
        assert sound.waveform.shape == theirs.shape == (1, FRAMES * HOP)
        assert (sound.waveform - theirs).abs().max() < 1e-4 * theirs.abs().max()


def test_the_comparison_would_notice(backbone: LongCatBackbone) -> None:
    """Prompt, negative prompt, padding and the number of zeros all matter more than the tolerances above."""
    prompt, unconditional = backbone.encode_both(["A bell"], [None], [0.0], [1.0])
    other = backbone.encode(["A pad"], [0.0], [1.0])
    longer = Conditioning.cat([prompt, backbone.encode(["A slow piano melody"], [0.0], [1.0])]).select([0])
    nothing = [unconditional, backbone.encode_unconditional([None], [0.0], [1.0])]
    nothing.append(backbone.encode_unconditional(["noise"], [0.0], [1.0]))
    x, sigma = noise(1), torch.ones(1)
    estimates = [
        backbone.denoise(x, sigma, told)
        for told in (prompt, other, *nothing, replace(longer, lengths=(longer.mask.shape[1],)))
    ]
    for number, one in enumerate(estimates):
        for another in estimates[:number]:
            assert (one - another).abs().max() > 1e-3
    assert torch.equal(backbone.denoise(x, sigma, longer), estimates[0])


def test_each_sample_of_a_batch_is_what_it_is_alone(backbone: LongCatBackbone) -> None:
    sigma = torch.tensor([400.0, 3.0, 0.3])
    x = noise() * sigma[:, None, None]
    negative = [None, "noise", ""]
    together = [backbone.denoise(x, sigma, told) for told in backbone.encode_both(PROMPTS, negative, *TIMING)]
    for i in range(len(PROMPTS)):
        alone = backbone.encode_both(PROMPTS[i : i + 1], negative[i : i + 1], [0.0], [1.0])
        for told, estimate in zip(alone, together, strict=True):
            ours = backbone.denoise(x[i : i + 1], sigma[i : i + 1], told)
            torch.testing.assert_close(ours, estimate[i : i + 1], rtol=1e-4, atol=1e-5)


# Conditioning


def test_a_blend_has_the_longer_text_and_its_ends_are_the_texts(backbone: LongCatBackbone) -> None:
    short = backbone.encode(["A bell"], [0.0], [1.0])
    long = backbone.encode(["A slow piano melody"], [0.0], [1.0])
    x, sigma = noise(1), torch.ones(1)
    blend = short.blended(long, 0.25)
    assert blend.lengths == long.lengths > short.lengths
    end = short.lengths[0]
    torch.testing.assert_close(blend.states[:, end:], 0.75 * long.states[:, end:])
    torch.testing.assert_close(blend.states[:, :end], 0.25 * short.states + 0.75 * long.states[:, :end])
    for weight, told in ((1.0, short), (0.0, long)):
        assert torch.equal(
            backbone.denoise(x, sigma, short.blended(long, weight)), backbone.denoise(x, sigma, told)
        )


def test_conditioning_selects_and_joins(backbone: LongCatBackbone) -> None:
    conditioning = backbone.encode(PROMPTS, *TIMING)
    chosen = Conditioning.cat([conditioning.select([2]), conditioning.select([0, 0])])
    assert len(chosen) == 3
    assert chosen.lengths == tuple(conditioning.lengths[sample] for sample in (2, 0, 0))
    assert torch.equal(chosen.states, conditioning.states[[2, 0, 0]])
    assert torch.equal(chosen.mask, conditioning.mask[[2, 0, 0]])
    assert len(conditioning.select([])) == 0


def test_bad_conditioning_is_refused(backbone: LongCatBackbone) -> None:
    with pytest.raises(InputError, match="2 prompts, 1 start and 2 totals"):
        backbone.encode(["a", "b"], [0.0], [1.0, 1.0])
    with pytest.raises(InputError, match="the prompt 7 is not text but of type int"):
        backbone.encode_unconditional([7], [0.0], [1.0])  # type: ignore[list-item]
    with pytest.warns(UserWarning, match="39 tokens, of which random reads 31: it loses the last 8"):
        backbone.encode(["a warm bell " * 11 + "zebra"], [0.0], [1.0])


def test_no_start_is_taken(backbone: LongCatBackbone) -> None:
    with pytest.raises(InputError, match="random takes no start"):
        Model(backbone).request("A bell", start=1.0)


# Times


@settings(max_examples=50, deadline=None)
@given(duration=st.floats(1e-3, 30))
def test_frames_are_the_pipelines(backbone: LongCatBackbone, duration: float) -> None:
    assert backbone.frames(duration) == max(1, int(duration * RATE // HOP))


def test_frames_refuses_what_the_model_cannot_make(backbone: LongCatBackbone) -> None:
    assert backbone.noise_shape(30.0) == backbone.latent_shape == (937, FEATURES)
    for duration in (0.0, -1.0, math.nan, 30.1, math.inf):
        with pytest.raises(InputError, match="random makes above 0 and at most 30 s"):
            backbone.frames(duration)


def test_a_noise_level_is_where_the_times_begin(backbone: LongCatBackbone) -> None:
    own = backbone.default_sampling
    whole, half = backbone.sigmas(own), backbone.sigmas(own, 0.5)
    assert len(whole) == len(half) == own.num_inference_steps + 1
    assert half[0] == pytest.approx(1.0)  # as much noise as sound
    torch.testing.assert_close(half / (1 + half), whole / (1 + whole) / 2)
    assert backbone.sigmas(Sampling(), 0.5)[0] == pytest.approx(1.0)
    assert backbone.sigmas(Sampling())[0] == backbone.sigmas(Sampling(), 1.0)[0] == pytest.approx(500.0)
    for level in (0.0, 1.5):
        with pytest.raises(InputError, match=f"init_noise_level is {level:g}: this model is a flow"):
            backbone.sigmas(own, level)
    with pytest.raises(InputError, match=r"init_noise_level is 0.1: .* above 0.231 \(sigma_min is 0.3\)"):
        backbone.sigmas(Sampling(), 0.1)


# Sound


def test_decoding_and_encoding_are_the_autoencoders(
    pipeline: LongCatAudioDiTPipeline, backbone: LongCatBackbone
) -> None:
    latents = noise(2)
    audio = backbone.decode(latents)
    assert audio.shape == (2, 1, FRAMES * HOP)
    assert torch.equal(audio, pipeline.vae.decode(latents.transpose(1, 2)).sample)
    theirs = pipeline.vae.encode(audio, sample_posterior=False).latents.transpose(1, 2)
    torch.testing.assert_close(backbone.encode_audio(audio), theirs, rtol=1e-5, atol=1e-5)
    part = backbone.encode_audio(audio[..., : 2 * HOP + 7])
    assert part.shape == (2, 3, FEATURES)  # filled up with silence


def test_pieces_equal_the_whole(backbone: LongCatBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = 0.3 * torch.randn(1, 1, 40 * HOP + 5, generator=torch.Generator().manual_seed(0))
    whole = backbone.encode_audio(sound)
    monkeypatch.setattr("unheard.backbones.longcat.backbone.PIECE", 7)
    torch.testing.assert_close(backbone.encode_audio(sound), whole, rtol=0, atol=1e-4)
    assert reach(backbone.vae) + 1 <= CONTEXT
    monkeypatch.setattr("unheard.backbones.longcat.backbone.CONTEXT", 0)
    assert (backbone.encode_audio(sound) - whole).abs().max() > 0.01


def reach(vae: nn.Module) -> float:
    """Frames that the encoder looks beyond a frame's middle, from kernels, dilations and strides alone."""
    samples, step = 0.0, 1
    for module in vae.encoder.modules():
        if isinstance(module, nn.Conv1d):
            samples += step * module.dilation[0] * (module.kernel_size[0] - 1) / 2
            step *= module.stride[0]
    return samples / step


def test_gradient_through_denoiser_and_decoder_equals_finite_differences() -> None:
    pipeline = longcat_pipeline(seed=4)
    for part in (pipeline.vae, pipeline.text_encoder, pipeline.transformer):
        part.double()
    backbone = longcat_backbone(pipeline)
    conditioning = backbone.encode(["A bell"], [0.0], [1.0])
    x, direction = noise(1).double().requires_grad_(), noise(1, seed=2).double()

    def loudness(x: Tensor) -> Tensor:
        return backbone.decode(backbone.denoise(x, torch.tensor([2.0]), conditioning)).square().mean()

    (gradient,) = torch.autograd.grad(loudness(x), x)
    with torch.no_grad():
        h = 1e-3  # no smaller: layers of the transformer round to float32 whatever the weights are
        numeric = (loudness(x + h * direction) - loudness(x - h * direction)) / (2 * h)
    torch.testing.assert_close((gradient * direction).sum(), numeric, rtol=1e-3, atol=0)
    assert not any(parameter.requires_grad for parameter in pipeline.transformer.parameters())
