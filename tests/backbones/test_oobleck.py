"""The frozen decoder against diffusers' own, forwards and backwards."""

from __future__ import annotations

import math

import pytest
import torch
from diffusers import AutoencoderOobleck
from torch import Tensor

from unheard.backbones.stable_audio.oobleck import FrozenDecoder

CHANNELS = 6


def autoencoder(ratios: list[int], channels: int = 2) -> AutoencoderOobleck:
    """A random one, with no parameter at its initial value."""
    torch.manual_seed(0)
    multiples = [1, 2, 2][: len(ratios)]
    vae = AutoencoderOobleck(2 * CHANNELS, ratios, multiples, 8, CHANNELS, channels, 16_000).eval()
    with torch.no_grad():
        for parameter in vae.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return vae.requires_grad_(False)


def gradient_of(decode: object, latents: Tensor, pull: Tensor) -> Tensor:
    source = latents.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(decode(source), source, pull)  # type: ignore[operator]
    return gradient


@pytest.mark.parametrize("ratios", [[2, 4], [3, 5], [2, 2, 7]], ids=str)
@pytest.mark.parametrize("channels", [1, 2])
def test_it_is_diffusers_decoder(ratios: list[int], channels: int) -> None:
    vae = autoencoder(ratios, channels)
    latents = torch.randn(3, CHANNELS, 20)
    expected = vae.decode(latents).sample
    assert torch.equal(FrozenDecoder(vae.decoder)(latents), expected)

    pull = torch.randn_like(expected)
    torch.testing.assert_close(
        gradient_of(FrozenDecoder(vae.decoder), latents, pull),
        gradient_of(lambda x: vae.decode(x).sample, latents, pull),
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.parametrize("ratios", [[2, 4], [3, 5], [2, 2, 7]], ids=str)
def test_its_reach_is_how_far_a_frame_is_heard(ratios: list[int]) -> None:
    decode, hop = FrozenDecoder(autoencoder(ratios).decoder), math.prod(ratios)
    latents = torch.randn(1, CHANNELS, 60)
    changed = latents.clone()
    changed[..., 30] += 1
    heard = (decode(changed) != decode(latents)).any(dim=1)[0].nonzero()[:, 0] // hop
    assert max(30 - heard.min(), heard.max() - 30) == decode.reach


def test_the_gradient_equals_finite_differences() -> None:
    decode = FrozenDecoder(autoencoder([2, 3]).double().decoder)
    latents = torch.randn(1, CHANNELS, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(decode, latents)


def test_the_weights_of_a_saved_autoencoder_are_the_normalised_ones(tmp_path: object) -> None:
    # Loaded weights have not been normalised before the first forward pass.
    vae = autoencoder([2, 4])
    vae.save_pretrained(tmp_path)
    loaded = AutoencoderOobleck.from_pretrained(tmp_path)
    latents = torch.randn(1, CHANNELS, 9)
    assert torch.equal(FrozenDecoder(loaded.decoder)(latents), vae.decode(latents).sample)


def test_it_leaves_latents_and_autoencoder_as_they_were() -> None:
    vae = autoencoder([2, 4])
    latents = torch.randn(1, CHANNELS, 9)
    before = vae.decode(latents).sample
    kept = latents.clone()
    FrozenDecoder(vae.decoder)(latents)
    assert torch.equal(latents, kept)
    assert torch.equal(vae.decode(latents).sample, before)
