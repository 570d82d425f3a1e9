"""Models in the native layout beside what stable-audio-tools itself computes of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import native_models
import native_reference as reference
import pytest
import torch
from torch import Tensor

from unheard.backbones import load_backbone
from unheard.backbones.lora import given_loras
from unheard.backbones.stable_audio.conditioning import StableAudioConditioning
from unheard.backbones.stable_audio.native.backbone import NativeStableAudioBackbone
from unheard.diffusion.parameterisation import Velocity, VPrediction
from unheard.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")

TOLERANCE = 5e-6  # of the largest value


def close(ours: Tensor, name: str) -> None:
    theirs = reference.expected()[name]
    assert (ours.reshape(theirs.shape) - theirs).abs().max() < TOLERANCE * theirs.abs().max()


@pytest.fixture(scope="module")
def open_backbone(open_folder: Path) -> NativeStableAudioBackbone:
    return load_backbone(open_folder, device="cpu")  # type: ignore[return-value]


@pytest.fixture(scope="module")
def small_backbone(small_folder: Path) -> NativeStableAudioBackbone:
    return load_backbone(small_folder, device="cpu")  # type: ignore[return-value]


def prediction(backbone: NativeStableAudioBackbone, conditioning: StableAudioConditioning) -> Tensor:
    """What the transformer predicts, by way of our coordinates."""
    z, _ = reference.inputs(backbone.latent_shape, backbone.audio_channels, backbone.hop_length)
    x, sigma = backbone.parameterisation.canonical(z, torch.tensor(reference.TIMES))
    denoised = backbone.denoise(x, sigma, conditioning)
    return backbone.parameterisation.prediction(x, sigma, denoised)


@pytest.fixture(scope="module", params=["open", "small"])
def model(request: pytest.FixtureRequest) -> tuple[str, NativeStableAudioBackbone]:
    return request.param, request.getfixturevalue(f"{request.param}_backbone")


def test_conditioning_is_that_of_stable_audio_tools(model: tuple[str, NativeStableAudioBackbone]) -> None:
    name, backbone = model
    told = backbone.encode(reference.PROMPTS, reference.STARTS, reference.TOTALS)
    close(told.cross_attention, f"{name}.cross_attention")
    close(told.global_states, f"{name}.global_states")


def test_predictions_are_those_of_stable_audio_tools(model: tuple[str, NativeStableAudioBackbone]) -> None:
    name, backbone = model
    timing = reference.STARTS, reference.TOTALS
    told = backbone.encode(reference.PROMPTS, *timing)
    with_prompt = prediction(backbone, told)
    close(with_prompt, f"{name}.prediction")
    for negative, expected in ((None, "guided"), (reference.NEGATIVE, "guided_away")):
        without = prediction(backbone, backbone.encode_unconditional([negative] * 2, *timing))
        close(without + 3.0 * (with_prompt - without), f"{name}.{expected}")
    assert (with_prompt - prediction(backbone, told.select([1, 0]))).abs().max() > 0.1


def test_the_autoencoder_is_that_of_stable_audio_tools(model: tuple[str, NativeStableAudioBackbone]) -> None:
    name, backbone = model
    z, waveform = reference.inputs(backbone.latent_shape, backbone.audio_channels, backbone.hop_length)
    close(backbone.decode(z[:1, :, : reference.DECODED]), f"{name}.decoded")
    close(backbone.encode_audio(waveform), f"{name}.encoded")


ALONE = {name: ((name, reference.STRENGTH),) for name in reference.LORAS}


@pytest.mark.parametrize("name", [*ALONE, "stacked"])
def test_loras_change_what_they_change_in_stable_audio_tools(
    open_backbone: NativeStableAudioBackbone, tmp_path: Path, name: str
) -> None:
    chosen = [
        (reference.write_lora(tmp_path / f"{each}.safetensors", each), strength)
        for each, strength in {**ALONE, "stacked": reference.STACKED}[name]
    ]
    with native_models.merged(open_backbone, given_loras(chosen)):
        told = open_backbone.encode(reference.PROMPTS, reference.STARTS, reference.TOTALS)
        close(prediction(open_backbone, told), f"lora.{name}")
    expected = reference.expected()
    assert (expected[f"lora.{name}"] - expected["open.prediction"]).abs().max() > 1


def test_what_each_model_is_told_and_how_it_is_sampled(
    model: tuple[str, NativeStableAudioBackbone],
) -> None:
    name, backbone = model
    sampling = backbone.default_sampling
    if name == "open":
        assert isinstance(backbone.parameterisation, VPrediction)
        assert backbone.accepts == {"start", "negative_prompt"}
        assert not backbone.distilled
        assert (sampling.schedule, sampling.guidance_scale) == ("polyexponential", 7.0)
    else:
        assert isinstance(backbone.parameterisation, Velocity)
        assert backbone.accepts == {"negative_prompt"}
        assert backbone.distilled
        assert (sampling.sampler, sampling.num_inference_steps, sampling.guidance_scale) == (
            "pingpong",
            8,
            1.0,
        )


def test_the_times_of_a_flow_are_those_of_stable_audio_tools(
    small_backbone: NativeStableAudioBackbone,
) -> None:
    sampling = small_backbone.default_sampling

    def shares(noise_level: float | None = None) -> Tensor:
        sigmas = small_backbone.sigmas(sampling, noise_level)
        assert (sigmas[1:] < sigmas[:-1]).all()
        return sigmas / (1 + sigmas)

    times = shares()
    torch.testing.assert_close(times[[0, -1]], torch.tensor([1.0, 0.0], dtype=torch.float64))
    logsnr = ((1 - times[1:-1]) / times[1:-1]).log()
    torch.testing.assert_close(logsnr, torch.arange(-5, 2, dtype=torch.float64))
    later = shares(0.5)[:-1]
    logsnr = ((1 - later) / later).log()
    torch.testing.assert_close(logsnr, torch.arange(8, dtype=torch.float64) / 4)
    with pytest.raises(InputError, match=r"init_noise_level is 0\.1: .* give more than 0\.119"):
        shares(0.1)
    spaced = small_backbone.sigmas(replace(sampling, schedule="polyexponential"), 0.9)
    torch.testing.assert_close(float(spaced[0]), 9.0)
