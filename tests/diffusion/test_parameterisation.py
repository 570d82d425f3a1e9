"""What networks see and predict, there and back, and what it means."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDIMScheduler
from diffusers.guiders.adaptive_projected_guidance import MomentumBuffer, normalized_guidance
from torch import Tensor

from unheard.diffusion.parameterisation import (
    PURE_NOISE,
    NoisePrediction,
    Parameterisation,
    ReversedVelocity,
    Velocity,
    VPrediction,
)
from unheard.diffusion.prediction import classifier_free
from unheard.diffusion.prompt_guidance import AdaptiveProjection

ALPHAS = DDIMScheduler(beta_schedule="scaled_linear", beta_start=0.0015, beta_end=0.0195).alphas_cumprod
ALL = [VPrediction(), NoisePrediction(ALPHAS), Velocity(), ReversedVelocity()]
LEVELS = torch.tensor([0.05, 0.9, 7.0, 60.0], dtype=torch.float64)


def some(seed: int) -> Tensor:
    return torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("way", ALL, ids=lambda way: type(way).__name__)
def test_there_and_back(way: Parameterisation) -> None:
    x, prediction = some(0) * LEVELS[:, None, None], some(1)
    back, level = way.canonical(*way.native(x, LEVELS))
    torch.testing.assert_close(back, x)
    torch.testing.assert_close(level, LEVELS)
    denoised = way.denoised(x, LEVELS, prediction)
    torch.testing.assert_close(way.prediction(x, LEVELS, denoised), prediction)


@pytest.mark.parametrize(
    ("way", "share", "predicted"),
    [
        # z = a x0 + b noise, and what a network that knows both would say
        (VPrediction(), lambda a, b: (a, b), lambda a, b, x0, noise: a * noise - b * x0),
        (NoisePrediction(ALPHAS), lambda a, b: (a, b), lambda a, b, x0, noise: noise),
        (Velocity(), lambda a, b: (a / (a + b), b / (a + b)), lambda a, b, x0, noise: noise - x0),
        (ReversedVelocity(), lambda a, b: (a / (a + b), b / (a + b)), lambda a, b, x0, noise: x0 - noise),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "native") else "",
)
def test_a_perfect_prediction_is_the_sound(way, share, predicted) -> None:
    sound, noise = some(2), some(3)
    level = LEVELS[:, None, None]
    signal = (1 + level**2).rsqrt()
    x = sound + level * noise
    z, _ = way.native(x, LEVELS)
    of_sound, of_noise = share(signal, level * signal)
    torch.testing.assert_close(z, of_sound * sound + of_noise * noise)
    right = predicted(signal, level * signal, sound, noise)
    torch.testing.assert_close(way.denoised(x, LEVELS, right), sound)


def test_discrete_times_are_those_of_the_scheduler() -> None:
    way = NoisePrediction(ALPHAS)
    times = torch.tensor([0, 1, 499, 999])
    sigmas = ((1 - ALPHAS[times]) / ALPHAS[times]).sqrt().double()
    torch.testing.assert_close(way.sigma(times), sigmas)
    torch.testing.assert_close(way.time(sigmas), times.double())
    assert way.time(torch.tensor([1e-9, 1e9])).tolist() == [0, 999]
    assert way.sigma_max == pytest.approx(float(sigmas[-1]))


@pytest.mark.parametrize(("way", "time"), [(Velocity(), 1.0), (ReversedVelocity(), 0.0)])
def test_pure_noise_of_a_flow_is_finite_and_the_network_sees_it_as_it_is(way, time) -> None:
    z = some(4).float()
    x, sigma = way.canonical(z, torch.full((4,), time))
    assert sigma.tolist() == [PURE_NOISE] * 4
    seen, when = way.native(x, sigma)
    torch.testing.assert_close(seen, z)
    assert when.tolist() == pytest.approx([time] * 4, abs=1e-7)
    velocity = some(5).float()
    expected = z - velocity if time == 1 else z + velocity
    torch.testing.assert_close(way.denoised(x, sigma, velocity), expected)


@pytest.mark.parametrize("way", [Velocity(), ReversedVelocity()], ids=lambda way: type(way).__name__)
def test_the_time_of_a_flow_comes_back_to_the_last_bit(way: Parameterisation) -> None:
    """From sigma in float32: networks that read a time through high frequencies see that bit."""
    share = torch.linspace(0.5, 1.0, 1000)
    time = share if type(way) is Velocity else 1 - share
    _, sigma = way.canonical(torch.zeros(1000, 1, dtype=torch.float64), time)
    _, back = way.native(torch.zeros(1000, 1), sigma.float())
    assert (back - time).abs().max() <= 2**-25


def test_the_projection_is_that_of_diffusers() -> None:
    """Over three steps, so that its momentum shows, on latents with time in the middle."""
    ours, theirs = AdaptiveProjection(time_axis=-2), MomentumBuffer(momentum=-0.75)
    way, scale = Velocity(), 7.0
    for step, share in enumerate((1.0, 0.7, 0.2)):
        z = some(10 + step)
        x, sigma = way.canonical(z, torch.full((4,), share, dtype=torch.float64))
        with_prompt, without = 3 * some(20 + step), 3 * some(30 + step)
        expected = normalized_guidance(
            with_prompt, without, scale - 1, theirs, 0.0, 2.5, use_original_formulation=True, norm_dim=(1,)
        )
        conditional = way.denoised(x, sigma, with_prompt)
        stands_in = ours.unconditional(x, sigma, way.denoised(x, sigma, without), conditional)
        guided = classifier_free(stands_in, conditional, scale)
        torch.testing.assert_close(guided, way.denoised(x, sigma, expected), rtol=1e-6, atol=1e-6)


def test_equal_predictions_cancel_exactly() -> None:
    projection, prediction = AdaptiveProjection(time_axis=-1), some(40)
    x, sigma = some(41), LEVELS
    for _ in range(2):
        stands_in = projection.unconditional(x, sigma, prediction, prediction)
        assert torch.equal(stands_in, prediction)
