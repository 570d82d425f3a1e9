"""Samplers against trajectories recorded from k-diffusion and against closed forms; the noise of before."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toy_world import golden

from unheard.diffusion import samplers
from unheard.diffusion import settings as user_settings
from unheard.diffusion.brownian import BrownianNoise
from unheard.diffusion.brownian_tree import BrownianTreeNoise
from unheard.diffusion.noise import initial_noise
from unheard.diffusion.schedules import polyexponential_sigmas

RECORDED = golden("samplers.json")
ANCHOR = torch.tensor(RECORDED["anchor"], dtype=torch.float64)


def recorded_model(x, sigma):
    ab = (1 / (1 + sigma**2))[:, None, None]
    return x * ab + (1 - ab) * torch.tanh(1.3 * x * ab.sqrt() + 0.4 * ANCHOR.to(x.dtype))


def recorded_noise(case, sigmas, dtype):
    """The recorded noise, found again by the interval that it was drawn for."""
    if case["noise"] is None:
        return None
    by_start = dict(zip(sigmas.tolist(), torch.tensor(case["noise"], dtype=dtype), strict=False))
    return lambda sigma, sigma_next: by_start[sigma]


def run_recorded(case, dtype):
    sigmas = polyexponential_sigmas(case["num_inference_steps"], case["sigma_min"], case["sigma_max"])
    start = torch.tensor(case["start"], dtype=dtype) * sigmas[0].item()
    return samplers.SAMPLERS[case["sampler"]](
        recorded_model, start, sigmas, recorded_noise(case, sigmas, dtype)
    )


@pytest.mark.parametrize(
    "case", RECORDED["cases"], ids=lambda c: f"{c['sampler']} {c['num_inference_steps']}"
)
class TestRecorded:
    def test_sigmas(self, case):
        sigmas = polyexponential_sigmas(case["num_inference_steps"], case["sigma_min"], case["sigma_max"])
        assert sigmas.tolist() == pytest.approx(case["sigmas"], rel=1e-12)

    def test_trajectory_in_double(self, case):
        result = run_recorded(case, torch.float64)
        assert (result - torch.tensor(case["result"], dtype=torch.float64)).abs().max() < 1e-9

    def test_trajectory_in_single(self, case):
        result = run_recorded(case, torch.float32)
        assert result.dtype == torch.float32
        assert (result - torch.tensor(case["result"])).abs().max() < 1e-3


def test_the_settings_name_exactly_these_samplers():
    assert tuple(samplers.SAMPLERS) == user_settings.SAMPLERS


@given(st.integers(2, 50), st.floats(1e-3, 1), st.floats(2, 1e3), st.floats(0.3, 3))
def test_sigmas_fall_from_maximum_to_minimum_to_zero(n, sigma_min, sigma_max, rho):
    sigmas = polyexponential_sigmas(n, sigma_min, sigma_max, rho)
    assert len(sigmas) == n + 1
    assert (sigmas.diff() < 0).all()
    assert sigmas[0].item() == pytest.approx(sigma_max)
    assert sigmas[-2].item() == pytest.approx(sigma_min)
    assert sigmas[-1] == 0


def test_a_single_step_starts_at_the_maximum():
    assert polyexponential_sigmas(1, 0.3, 500).tolist() == pytest.approx([500, 0])


# Data that are Gaussian with mean 2 and deviation 0.5 have a linear denoiser and a closed-form ODE.
MEAN, DEVIATION = 2.0, 0.5


def gaussian_denoiser(x, sigma):
    s2, v = (sigma**2).reshape(-1, *[1] * (x.ndim - 1)), DEVIATION**2
    return (v * x + s2 * MEAN) / (v + s2)


def exact_ode(x, sigma, sigma_next):
    return MEAN + (x - MEAN) * math.sqrt((DEVIATION**2 + sigma_next**2) / (DEVIATION**2 + sigma**2))


def test_euler_on_a_linear_ode_is_the_product_of_its_steps():
    sigmas = polyexponential_sigmas(7, 0.1, 20)
    x = torch.linspace(-20, 20, 12, dtype=torch.float64).reshape(2, 6)
    factor = 1.0
    for a, b in pairwise(sigmas.tolist()):
        factor *= 1 + (b - a) * a / (DEVIATION**2 + a**2)
    result = samplers.sample_euler(gaussian_denoiser, x, sigmas)
    assert torch.allclose(result, MEAN + (x - MEAN) * factor, atol=1e-12)


@pytest.mark.parametrize(("name", "order"), [("euler", 1), ("dpmpp_2m", 2)])
def test_convergence_order(name, order):
    """Doubling the steps divides the error by 2^order. The step to 0 is left out: it is of first order."""
    x = torch.tensor([[9.0]], dtype=torch.float64)
    errors = []
    for n in (100, 200, 400):
        sigmas = polyexponential_sigmas(n, 0.2, 5.0)
        seen = []
        samplers.SAMPLERS[name](
            lambda x, s, seen=seen: (seen.append(x), gaussian_denoiser(x, s))[1], x, sigmas
        )
        errors.append((seen[-1] - exact_ode(x, 5.0, 0.2)).abs().item())
    for coarse, fine in pairwise(errors):
        assert math.log2(coarse / fine) == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize("name", ["dpmpp_2m_sde", "dpmpp_3m_sde"])
def test_sde_samplers_keep_the_distribution(name):
    """The samples of a Gaussian have its mean and, shrunk by the last denoising, its deviation."""
    sigmas = polyexponential_sigmas(40, 0.05, 50)
    shape, seeds = (2, 5000), [1, 2]
    x = initial_noise(shape, seeds, dtype=torch.float64) * sigmas[0]
    noise = BrownianNoise(shape, seeds, sigmas.tolist())
    result = samplers.SAMPLERS[name](gaussian_denoiser, x, sigmas, noise)
    shrunk = DEVIATION**2 / math.sqrt(DEVIATION**2 + 0.05**2)
    assert result.mean().item() == pytest.approx(MEAN, abs=0.02)
    assert result.std().item() == pytest.approx(shrunk, rel=0.03)


@pytest.mark.parametrize("name", list(samplers.SAMPLERS))
def test_one_call_of_the_model_and_of_the_callback_a_step(name):
    sigmas = polyexponential_sigmas(5, 0.3, 10)
    asked, told = [], []

    def model(x, sigma):
        asked.append(sigma.tolist())
        return 0.5 * x

    noise = BrownianNoise((3,), [0, 1], sigmas.tolist())
    samplers.SAMPLERS[name](
        model,
        torch.ones(2, 3),
        sigmas,
        noise,
        callback=lambda step, sigma, denoised: told.append((step, sigma)),
    )
    assert told == list(enumerate(sigmas[:-1].tolist()))
    assert asked == [pytest.approx([sigma, sigma], rel=1e-6) for sigma in sigmas[:-1].tolist()]


def test_samplers_build_no_graph():
    x = torch.ones(1, 3, requires_grad=True)
    assert not samplers.sample_euler(
        lambda x, s: 0.5 * x, x, polyexponential_sigmas(3, 0.3, 10)
    ).requires_grad


def test_brownian_noise_does_not_depend_on_what_was_asked_before():
    straight = BrownianTreeNoise((4,), 0.3, 500, [7], dtype=torch.float64)
    detour = BrownianTreeNoise((4,), 0.3, 500, [7], dtype=torch.float64)
    detour(500.0, 77.0), detour(2.0, 1.0)
    assert torch.equal(straight(20.0, 10.0), detour(20.0, 10.0))


def test_brownian_increments_add_up():
    noise = BrownianTreeNoise((1000,), 0.3, 500, [3], dtype=torch.float64)
    levels = [400.0, 120.0, 9.0, 0.5]
    pieces = [noise(a, b) * math.sqrt(a - b) for a, b in pairwise(levels)]
    whole = noise(levels[0], levels[-1]) * math.sqrt(levels[0] - levels[-1])
    assert torch.allclose(sum(pieces), whole, atol=1e-4)


def test_brownian_noise_has_unit_variance_and_disjoint_intervals_are_independent():
    noise = BrownianTreeNoise((20000,), 0.3, 500, [11])
    first, second, late = noise(500.0, 300.0)[0], noise(300.0, 2.0)[0], noise(0.4, 0.3)[0]
    for piece in (first, second, late):
        assert piece.mean().item() == pytest.approx(0, abs=0.03)
        assert piece.std().item() == pytest.approx(1, abs=0.03)
    assert torch.corrcoef(torch.stack([first, second, late])).fill_diagonal_(0).abs().max() < 0.03


def test_brownian_noise_takes_the_rounded_ends_of_a_schedule():
    sigmas = polyexponential_sigmas(3, 0.3, 500).to(torch.float32).tolist()
    noise = BrownianTreeNoise((4,), 0.3, 500, [0])
    assert noise(sigmas[0], sigmas[1]).isfinite().all()
    assert noise(sigmas[1], sigmas[2]).isfinite().all()
    assert noise(sigmas[1], 0.29).isfinite().all()
