"""AMG's denoiser against recorded steps and the obvious algorithm."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import OPEN
from torch import Tensor
from toy_world import ToyWorld

from unheard.guidance.amg.denoiser import AMGDenoiser
from unheard.guidance.amg.settings import AMG
from unheard.guidance.classifier_free import ClassifierFreeGuidance

WORLD = ToyWorld()
PROMPTS = ("prompt0", "prompt1", "prompt2")


def guide_toy(amg: AMG, s0: float, prompts: tuple[str, ...] = PROMPTS) -> AMGDenoiser:
    return AMGDenoiser(
        WORLD.denoise,
        WORLD.conditioning(*prompts),
        WORLD.unconditional(len(prompts)),
        guidance_scale=s0,
        settings=amg,
        decode=WORLD.decode,
        embed=WORLD.embed,
        index=WORLD.index,
        encode_neighbours=WORLD.encode_neighbours,
    )


def double(values) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def case_settings(case) -> AMG:
    names = ("c1", "c2", "c3", "lambda_min", "lambda_max", "dissimilarity_space")
    return AMG(**{name: case[name] for name in names})


# --- recorded steps


@pytest.mark.parametrize("case", WORLD.cases, ids=lambda case: f"{case['name']} at {case['sigma']}")
class TestRecorded:
    def test_guided_prediction_and_trace(self, case):
        guided = guide_toy(case_settings(case), case["guidance_scale"])
        result = guided(double(case["x"]), double([case["sigma"]] * 3))
        again = guided(double(case["x"]), double([case["sigma"]] * 3))  # now as expected

        assert (result - double(case["guided"])).abs().max() < 1e-9
        assert (again - double(case["guided"])).abs().max() < 1e-9
        step = guided.trace[0]
        assert step.sigma == case["sigma"]
        assert step.neighbour == case["neighbour"]
        assert step.acted == case["active"]
        assert step.threshold == pytest.approx([case["threshold"]] * 3, abs=1e-9)
        assert step.value == pytest.approx(case["similarity"], abs=1e-9)
        assert step.s1 == pytest.approx(case["s1"], abs=1e-9)
        assert step.s2 == pytest.approx(case["s2"], abs=1e-9)

    def test_gradient(self, case):
        """In noise space the dissimilarity term is -c3 sigma^2 gradient, so the prediction gives it away."""
        x, sigma = double(case["x"]), double([case["sigma"]] * 3)
        amg = AMG(c1=0, c2=0, c3=1, dissimilarity_space="noise", **OPEN)
        term = guide_toy(amg, 7.0)(x, sigma) - guide_toy(replace(amg, c3=0), 7.0)(x, sigma)
        assert (-term / case["sigma"] ** 2 - double(case["grad_similarity"])).abs().max() < 1e-9


# --- the obvious algorithm: one sample at a time, everything computed every time


def obvious_step(x: Tensor, sigma: Tensor, prompts: tuple[str, ...], s0: float, amg: AMG) -> Tensor:
    guided = []
    for xi, si, prompt in zip(x, sigma, prompts, strict=True):
        xi, si = xi[None].clone().requires_grad_(), si[None]
        d_u = WORLD.denoise(xi, si, WORLD.unconditional(1))
        d_c = WORLD.denoise(xi, si, WORLD.conditioning(prompt))
        e = WORLD.embed(WORLD.decode(d_c))
        similarities = (e @ WORLD.index.unit.T)[0]
        n = int(similarities.argmax())
        d_n = WORLD.denoise(xi, si, WORLD.encode_neighbours([n]))
        (gradient,) = torch.autograd.grad(similarities[n], xi)
        sim, ab = similarities[n].item(), 1 / (1 + si.item() ** 2)
        s1 = max(0.0, min(amg.c1 * sim, s0 - 1))
        s2 = max(0.0, min(amg.c2 * sim, s0 - s1 - 1))
        w = (1 - ab) ** 0.5 if amg.dissimilarity_space == "denoised" else si.item() ** 2
        result = d_u + s0 * (d_c - d_u)
        if sim > amg.lambda_min + (amg.lambda_max - amg.lambda_min) * ab**2:
            result = result - s1 * (d_c - d_u) - s2 * (d_n - d_u) - amg.c3 * w * gradient
        guided.append(result[0].detach())
    return torch.stack(guided)


@given(
    seed=st.integers(0, 2**32 - 1),
    bounds=st.tuples(st.floats(0.2, 1), st.floats(0.2, 1)).map(sorted),
    c1=st.sampled_from([0.0, 1.0, 8.0]),
    c2=st.sampled_from([0.0, 2.0]),
    c3=st.sampled_from([0.0, 0.5, 10.0]),
    s0=st.floats(1.1, 8),
    space=st.sampled_from(["denoised", "noise"]),
)
@settings(max_examples=30, deadline=None)
def test_a_walk_is_the_obvious_algorithm_whatever_was_expected(seed, bounds, c1, c2, c3, s0, space):
    """Gates that open and shut, and neighbours that change, from one step to the next."""
    amg = AMG(c1, c2, c3, *bounds, space)
    guided = guide_toy(amg, s0)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(3, 2, 6, generator=generator, dtype=torch.float64)
    for _ in range(6):
        x = x + 0.5 * torch.randn(x.shape, generator=generator, dtype=torch.float64)
        sigma = torch.rand(3, generator=generator, dtype=torch.float64) * 3 + 0.1
        expected = obvious_step(x, sigma, PROMPTS, s0, amg)
        assert torch.allclose(guided(x, sigma), expected, rtol=1e-9, atol=1e-9)


@given(st.permutations(PROMPTS), st.floats(0.1, 5))
@settings(max_examples=15, deadline=None)
def test_a_batch_of_different_samples_is_each_alone(prompts, sigma):
    amg = AMG(2, 2, 1, 0.4, 0.8)
    x = torch.randn(3, 2, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    together, alone = guide_toy(amg, 5.0, tuple(prompts)), [guide_toy(amg, 5.0, (p,)) for p in prompts]
    for step in range(3):
        level = double([sigma / (step + 1)])
        result = together(x, level.expand(3))
        each = torch.cat([guide(x[[i]], level) for i, guide in enumerate(alone)])
        assert torch.allclose(result, each, rtol=1e-12, atol=1e-12)
        x = result
    for i, guide in enumerate(alone):
        assert [s.neighbour[i] for s in together.trace] == [s.neighbour[0] for s in guide.trace]


def test_the_gradient_is_that_of_finite_differences():
    x = torch.randn(1, 2, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    sigma, h = double([0.7]), 1e-6
    conditioning = WORLD.conditioning("prompt1")
    embed = lambda x: WORLD.embed(WORLD.decode(WORLD.denoise(x, sigma, conditioning)))  # noqa: E731
    nearest = WORLD.index.unit[WORLD.index.search(embed(x))[1][0, 0]]
    differences = torch.zeros_like(x)
    for i in range(x.numel()):
        bump = torch.zeros(x.numel(), dtype=torch.float64).index_fill(0, torch.tensor(i), h).view_as(x)
        differences.view(-1)[i] = ((embed(x + bump) - embed(x - bump)) @ nearest).item() / (2 * h)

    amg = AMG(0, 0, 1, dissimilarity_space="noise", **OPEN)
    plain = ClassifierFreeGuidance(WORLD.denoise, conditioning, WORLD.unconditional(1), guidance_scale=3.0)
    gradient = -(guide_toy(amg, 3.0, ("prompt1",))(x, sigma) - plain(x, sigma)) / sigma**2
    assert torch.allclose(gradient, differences, atol=1e-8)
