"""The ACE-Step backbone against diffusers' own pipeline, transformer, guidance and autoencoder."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest
import torch
from ace_step_pipeline import FEATURES, HOP, RATE, ace_step_backbone, ace_step_pipeline
from diffusers import AceStepPipeline
from torch import Tensor, nn

from unheard import Model, Sampling
from unheard.backbones.ace_step.backbone import CONTEXT, AceStepBackbone
from unheard.backbones.ace_step.template import Song
from unheard.backbones.sequences import SequenceConditioning as Conditioning
from unheard.diffusion.noise import initial_noise
from unheard.diffusion.prediction import classifier_free, predict_both
from unheard.diffusion.prompt_guidance import CLASSIFIER_FREE, PromptGuidance
from unheard.errors import InputError, ModelError
from unheard.generation.defaults import Defaults

PROMPTS = ["An acoustic drum loop, 110 bpm", "A slow piano melody", "Warm strings, zebra"]
LYRICS = "[verse]\nla la zebra\n"
SCALE, STEPS, DURATION = 7.0, 6, 0.5
FRAMES = 13  # of 25 a second
TIMING = [0.0] * len(PROMPTS), [DURATION] * len(PROMPTS)
NOTHING = [None] * len(PROMPTS)

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")


@pytest.fixture(scope="module")
def pipeline() -> AceStepPipeline:
    return ace_step_pipeline(seed=3)


@pytest.fixture(scope="module")
def backbone(pipeline: AceStepPipeline) -> AceStepBackbone:
    return ace_step_backbone(pipeline).with_lyrics(LYRICS)


@dataclass
class Step:
    share: float
    z: Tensor
    denoised: Tensor  # where the scheduler would go in one step from here


@contextmanager
def recorded(pipeline: AceStepPipeline) -> Iterator[list[Step]]:
    """The steps that the pipeline's scheduler takes."""
    steps: list[Step] = []
    scheduler = pipeline.scheduler
    step = scheduler.step

    def recording(velocity: Tensor, time: Tensor, z: Tensor, **options: object) -> object:
        share = float(scheduler.sigmas[len(steps)])
        steps.append(Step(share, z.clone(), z - share * velocity))
        return step(velocity, time, z, **options)

    scheduler.step = recording
    try:
        yield steps
    finally:
        del scheduler.step


def run(pipeline: AceStepPipeline, prompts: list[str], latents: Tensor, **options: object) -> Tensor:
    given = {"num_inference_steps": STEPS, "guidance_scale": SCALE, "output_type": "latent", **options}
    return pipeline(
        prompts, lyrics=[LYRICS] * len(prompts), audio_duration=DURATION, latents=latents, **given
    ).audios


def guided(
    backbone: AceStepBackbone, step: Step, both: Conditioning, guidance: PromptGuidance, scale: float = SCALE
) -> Tensor:
    time = torch.full((len(step.z),), step.share)
    x, sigma = backbone.parameterisation.canonical(step.z, time)
    unconditional, conditional = predict_both(backbone.denoise, x, sigma, both)
    unconditional = guidance.unconditional(x, sigma, unconditional, conditional)
    return classifier_free(unconditional, conditional, scale)


def noise(samples: int = len(PROMPTS), seed: int = 1) -> Tensor:
    return torch.randn(samples, FRAMES, FEATURES, generator=torch.Generator().manual_seed(seed))


def test_denoised_equals_the_pipelines_for_each_prompt_alone(
    pipeline: AceStepPipeline, backbone: AceStepBackbone
) -> None:
    """Its projection with the momentum of the steps before, too."""
    alone = []
    for sample, prompt in enumerate(PROMPTS):
        with recorded(pipeline) as steps:
            run(pipeline, [prompt], noise()[sample : sample + 1])
        alone.append(steps)
    conditional, unconditional = backbone.encode_both(PROMPTS, NOTHING, *TIMING)
    both, guidance = Conditioning.cat([unconditional, conditional]), backbone.prompt_guidance()
    for number in range(STEPS):
        together = Step(
            alone[0][number].share,
            torch.cat([steps[number].z for steps in alone]),
            torch.cat([steps[number].denoised for steps in alone]),
        )
        ours = guided(backbone, together, both, guidance)
        torch.testing.assert_close(ours, together.denoised, rtol=1e-5, atol=1e-5)


def test_denoised_equals_the_pipelines_for_a_batch_as_it_pads_it(
    pipeline: AceStepPipeline, backbone: AceStepBackbone
) -> None:
    told = []
    forward = pipeline.transformer.register_forward_pre_hook(
        lambda _, __, given: told.append(given["encoder_hidden_states"]), with_kwargs=True
    )
    with recorded(pipeline) as steps:
        run(pipeline, PROMPTS, noise())
    forward.remove()
    conditional, unconditional = (
        Conditioning.of(half, torch.ones(half.shape[:2]), half[0, 0]) for half in told[0].chunk(2)
    )
    both, guidance = Conditioning.cat([unconditional, conditional]), backbone.prompt_guidance()
    for step in steps:
        ours = guided(backbone, step, both, guidance)
        torch.testing.assert_close(ours, step.denoised, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scale", [7.0, 1.0])
def test_sounds_equal_the_pipelines(
    pipeline: AceStepPipeline, backbone: AceStepBackbone, scale: float
) -> None:
    """The whole way from noise to sound, in the model's own times."""
    model = Model(ace_step_backbone(pipeline), Defaults(sampling=backbone.default_sampling, guidance=None))
    sounds = model.generate(PROMPTS, seed=[4, 5, 6], duration=DURATION, lyrics=LYRICS, guidance_scale=scale)
    for prompt, sound in zip(PROMPTS, sounds, strict=True):
        latents = initial_noise(backbone.noise_shape(DURATION), [sound.seed])
        options = {"num_inference_steps": 8, "guidance_scale": scale, "output_type": "pt"}
        (theirs,) = run(pipeline, [prompt], latents, **options)
        # Afterwards the pipeline sets the peak of all frames to -1 dB.
        assert sound.latents is not None
        whole = backbone.decode(sound.latents[None])[0]
        ours = whole * 10 ** (-1 / 20) / whole.abs().max()
        assert (ours - theirs).abs().max() < 1e-4
        torch.testing.assert_close(sound.waveform, whole[:, : round(DURATION * RATE)], rtol=1e-4, atol=1e-5)


def test_the_comparison_would_notice(backbone: AceStepBackbone) -> None:
    """Prompt, duration, lyrics and what pads a sequence all matter more than the tolerances above."""
    prompt = backbone.encode(["A bell"], [0.0], [1.0])
    longer = Conditioning.cat([prompt, backbone.encode([PROMPTS[1]], [0.0], [1.0])]).select([0])
    x, sigma = noise(1), torch.ones(1)
    told = [
        prompt,
        backbone.encode(["A pad"], [0.0], [1.0]),
        backbone.encode(["A bell"], [0.0], [2.0]),
        backbone.with_lyrics("").encode(["A bell"], [0.0], [1.0]),
        backbone.telling(replace(backbone.song, bpm=110)).encode(["A bell"], [0.0], [1.0]),
        backbone.encode_unconditional([None], [0.0], [1.0]),
        replace(longer, lengths=(longer.mask.shape[1],)),
    ]
    estimates = [backbone.denoise(x, sigma, each) for each in told]
    for number, one in enumerate(estimates):
        for another in estimates[:number]:
            assert (one - another).abs().max() > 2e-4
    assert torch.equal(backbone.denoise(x, sigma, longer), estimates[0])


def test_each_sample_of_a_batch_is_what_it_is_alone(backbone: AceStepBackbone) -> None:
    sigma = torch.tensor([400.0, 3.0, 0.3])
    x = noise() * sigma[:, None, None]
    together = backbone.denoise(x, sigma, backbone.encode(PROMPTS, *TIMING))
    for i in range(len(PROMPTS)):
        alone = backbone.encode(PROMPTS[i : i + 1], [0.0], [DURATION])
        ours = backbone.denoise(x[i : i + 1], sigma[i : i + 1], alone)
        torch.testing.assert_close(ours, together[i : i + 1], rtol=1e-4, atol=1e-5)


# Conditioning


def test_the_texts_are_the_pipelines(pipeline: AceStepPipeline) -> None:
    told = {"bpm": 110, "keyscale": "C major", "timesignature": "4", "instruction": "Make music"}
    for duration, options in ((9.7, {}), (0.0, {}), (60.0, told), (60.0, {"bpm": 0, "keyscale": " "})):
        song = Song(lyrics=LYRICS, language="de", **options)
        theirs = pipeline._format_prompt("A bell", LYRICS, "de", duration, **options)
        assert (song.description("A bell", duration), song.words()) == theirs


def test_nothing_is_as_long_as_one_likes(backbone: AceStepBackbone) -> None:
    """All keys are equal and so are all values: whatever the attention is, it finds the same."""
    _, beside = backbone.encode_both(["A bell"], [None], [0.0], [1.0])
    alone = backbone.encode_unconditional([None], [0.0], [1.0])
    assert alone.lengths == (1,) < beside.lengths
    x, sigma = noise(1), torch.ones(1)
    torch.testing.assert_close(
        backbone.denoise(x, sigma, alone), backbone.denoise(x, sigma, beside), rtol=1e-5, atol=1e-5
    )


def test_a_blend_has_the_longer_text_and_its_ends_are_the_texts(backbone: AceStepBackbone) -> None:
    short, long = (backbone.encode([prompt], [0.0], [1.0]) for prompt in ("A bell", PROMPTS[1]))
    blend = short.blended(long, 0.25)
    assert blend.lengths == long.lengths > short.lengths
    end = short.lengths[0]
    torch.testing.assert_close(
        blend.states[:, end:], 0.75 * long.states[:, end:] + 0.25 * backbone.encode_unconditional(
            [None], [0.0], [1.0]
        ).states
    )  # fmt: skip
    torch.testing.assert_close(blend.states[:, :end], 0.25 * short.states + 0.75 * long.states[:, :end])
    for weight, told in ((1.0, short), (0.0, long)):
        ours = backbone.denoise(noise(1), torch.ones(1), short.blended(long, weight))
        assert torch.equal(ours, backbone.denoise(noise(1), torch.ones(1), told))


def test_what_the_model_does_not_know_is_refused(backbone: AceStepBackbone) -> None:
    with pytest.raises(InputError, match="random takes no negative prompt: leave 'noise' out"):
        backbone.encode_unconditional(["noise"], [0.0], [1.0])
    with pytest.raises(InputError, match="2 prompts, 1 start and 2 totals"):
        backbone.encode(["a", "b"], [0.0], [1.0, 1.0])
    with pytest.warns(UserWarning, match="of which random reads 256: it loses the last"):
        backbone.encode(["a warm bell " * 90], [0.0], [1.0])
    model = Model(backbone)
    for refused in ({"start": 1.0}, {"negative_prompt": "drums"}):
        with pytest.raises(InputError, match="random takes no"):
            model.request("A bell", **refused)
    for duration in (0.0, -1.0, math.nan, 601.0):
        with pytest.raises(InputError, match="random makes above 0 and at most 600 s"):
            backbone.frames(duration)


def test_distilled_weights_run_at_scale_1(pipeline: AceStepPipeline) -> None:
    turbo = ace_step_backbone(ace_step_pipeline(turbo=True))
    assert turbo.distilled
    assert turbo.prompt_guidance() is CLASSIFIER_FREE
    assert turbo.default_sampling.guidance_scale == 1.0
    with pytest.raises(InputError, match="guidance_scale is 7: random is distilled and runs at 1"):
        Model(turbo).request("A bell", guidance_scale=7.0)
    assert not ace_step_backbone(pipeline).distilled


def test_another_scheduler_is_refused(pipeline: AceStepPipeline) -> None:
    config = pipeline.scheduler.config
    for other in ({**config, "num_train_timesteps": 1000}, {**config, "invert_sigmas": True}):
        pipeline.scheduler.register_to_config(**other)
        with pytest.raises(ModelError, match="the scheduler of random has num_train_timesteps"):
            ace_step_backbone(pipeline)
    pipeline.scheduler.register_to_config(**config)


def test_a_noise_level_is_where_the_times_begin(backbone: AceStepBackbone) -> None:
    own = backbone.default_sampling
    whole, half = backbone.sigmas(own), backbone.sigmas(own, 0.5)
    assert half[0] == pytest.approx(1.0)  # as much noise as sound
    torch.testing.assert_close(half / (1 + half), whole / (1 + whole) / 2)
    assert backbone.sigmas(Sampling(), 0.5)[0] == pytest.approx(1.0)


# Sound


def test_decoding_and_encoding_are_the_autoencoders(
    pipeline: AceStepPipeline, backbone: AceStepBackbone
) -> None:
    latents = noise(2)
    audio = backbone.decode(latents)
    assert audio.shape == (2, 2, FRAMES * HOP)
    assert torch.equal(audio, pipeline.vae.decode(latents.transpose(1, 2)).sample)
    assert audio.abs().max() > 0.01
    theirs = pipeline.vae.encode(audio).latent_dist.mean.transpose(1, 2)
    torch.testing.assert_close(backbone.encode_audio(audio), theirs, rtol=1e-5, atol=1e-5)
    assert backbone.encode_audio(audio[..., : 2 * HOP + 7]).shape == (2, 3, FEATURES)


def test_pieces_equal_the_whole(backbone: AceStepBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = 0.3 * torch.randn(1, 2, 80 * HOP + 5, generator=torch.Generator().manual_seed(0))
    whole = backbone.encode_audio(sound)
    monkeypatch.setattr("unheard.backbones.ace_step.backbone.PIECE", 7)
    torch.testing.assert_close(backbone.encode_audio(sound), whole, rtol=0, atol=1e-4)
    monkeypatch.setattr("unheard.backbones.ace_step.backbone.CONTEXT", 0)
    assert (backbone.encode_audio(sound) - whole).abs().max() > 0.01
    assert reach(backbone.vae) + 1 <= CONTEXT


def reach(vae: nn.Module) -> float:
    """Frames that the encoder looks beyond a frame's middle, from kernels, dilations and strides alone."""
    samples, step = 0.0, 1
    for module in vae.encoder.modules():
        if isinstance(module, nn.Conv1d):
            samples += step * module.dilation[0] * (module.kernel_size[0] - 1) / 2
            step *= module.stride[0]
    return samples / step


def test_gradient_through_denoiser_and_decoder_equals_finite_differences() -> None:
    pipeline = ace_step_pipeline(seed=4)
    for part in (pipeline.vae, pipeline.text_encoder, pipeline.condition_encoder, pipeline.transformer):
        part.double()
    backbone = ace_step_backbone(pipeline)
    conditioning = backbone.encode(["A bell"], [0.0], [1.0])
    x, direction = noise(1).double().requires_grad_(), noise(1, seed=2).double()

    def loudness(x: Tensor) -> Tensor:
        return backbone.decode(backbone.denoise(x, torch.tensor([2.0]), conditioning)).square().mean()

    (gradient,) = torch.autograd.grad(loudness(x), x)
    with torch.no_grad():
        h = 1e-3  # no smaller: rotary attention rounds to float32 whatever the weights are
        numeric = (loudness(x + h * direction) - loudness(x - h * direction)) / (2 * h)
    torch.testing.assert_close((gradient * direction).sum(), numeric, rtol=1e-3, atol=0)
    assert not any(parameter.requires_grad for parameter in pipeline.transformer.parameters())
