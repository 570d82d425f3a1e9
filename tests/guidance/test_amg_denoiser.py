"""The guided denoiser against recorded steps and the obvious algorithm, and what it leaves uncomputed."""

from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import count

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from toy_world import ToyConditioning, ToyIndex, ToyWorld, unit

from unheard.diffusion.samplers import (
    BrownianTreeNoise,
    initial_noise,
    polyexponential_sigmas,
    sample_dpmpp_3m_sde,
)
from unheard.errors import GuidanceError
from unheard.guidance.amg.denoiser import AMGDenoiser
from unheard.guidance.amg.settings import AMG
from unheard.guidance.base import GuidanceWarning
from unheard.guidance.classifier_free import ClassifierFreeGuidance

WORLD = ToyWorld()
PROMPTS = ("prompt0", "prompt1", "prompt2")
OPEN = {"lambda_min": -2.0, "lambda_max": -2.0}
SHUT = {"lambda_min": 2.0, "lambda_max": 2.0}


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
@settings(max_examples=60, deadline=None)
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


# --- what is computed, and what is not: small networks that count their calls


class Denoiser(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv1d(2, 2, 3, padding=1)

    def forward(self, x, sigma, conditioning):
        ab = 1 / (1 + sigma**2)[:, None, None]
        return x * ab + (1 - ab) * torch.tanh(self.mix(x * ab.sqrt()) + conditioning.arrays)


class Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose1d(2, 1, 8, stride=4, padding=2)

    def forward(self, latents):
        return self.up(latents)


class Embedder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.listen = nn.Conv1d(1, 8, 5)

    def forward(self, waveform):
        peak = waveform.abs().amax(dim=(1, 2), keepdim=True).clamp(min=1e-6)
        return unit(self.listen(waveform / peak).square().mean(dim=2))


class Counted:
    """A network that notes, for each call, the batch and whether a graph was built."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network.eval().requires_grad_(False)
        self.calls: list[tuple[int, bool]] = []

    def __call__(self, x, *rest):
        result = self.network(x, *rest)
        self.calls.append((len(x), result.requires_grad))
        return result


class SmallWorld:
    def __init__(self, batch: int = 3) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.denoise, self.decode, self.embed = (
                Counted(Denoiser()),
                Counted(Decoder()),
                Counted(Embedder()),
            )
            self.prompts, self.captions = torch.randn(batch, 2, 6), torch.randn(5, 2, 6)
            self.index = ToyIndex(torch.randn(5, 8))
            self.x = torch.randn(batch, 2, 6)
        self.sigma = torch.full((batch,), 1.5)
        self.encoded: list[int] = []

    def encode_neighbours(self, positions: list[int]) -> ToyConditioning:
        self.encoded += positions
        return ToyConditioning(self.captions[positions])

    @property
    def conditional(self) -> ToyConditioning:
        return ToyConditioning(self.prompts)

    @property
    def unconditional(self) -> ToyConditioning:
        return ToyConditioning(torch.zeros_like(self.prompts))

    def guide(self, amg: AMG, s0: float = 7.0) -> AMGDenoiser:
        return AMGDenoiser(
            self.denoise,
            self.conditional,
            self.unconditional,
            guidance_scale=s0,
            settings=amg,
            decode=self.decode,
            embed=self.embed,
            index=self.index,
            encode_neighbours=self.encode_neighbours,
        )

    def plain(self, s0: float = 7.0) -> ClassifierFreeGuidance:
        return ClassifierFreeGuidance(self.denoise, self.conditional, self.unconditional, guidance_scale=s0)


def test_a_shut_gate_is_plain_guidance_bit_for_bit():
    world = SmallWorld()
    guided, plain = world.guide(AMG(**SHUT)), world.plain()
    x = world.x
    for level in (50.0, 5.0, 0.5):
        expected = plain(x, torch.full((3,), level))
        assert torch.equal(guided(x, torch.full((3,), level)), expected)
        x = expected
    assert [step.acted for step in guided.trace] == [[False] * 3] * 3


def test_a_shut_gate_costs_one_call_each_and_no_graph():
    world = SmallWorld()
    guided = world.guide(AMG(**SHUT))
    for _ in range(3):
        guided(world.x, world.sigma)
    assert world.denoise.calls == [(6, False)] * 3
    assert world.decode.calls == world.embed.calls == [(1, False)] * 9
    assert world.encoded == []


def test_an_opening_gate_adds_the_graph_and_the_neighbours_and_an_open_one_expects_them():
    world = SmallWorld()
    guided = world.guide(AMG(**OPEN))
    guided(world.x, world.sigma)
    assert world.denoise.calls == [(6, False), (3, True), (3, False)]
    assert world.decode.calls == [(1, False)] * 3 + [(1, True)] * 3

    for network in (world.denoise, world.decode, world.embed):
        network.calls.clear()
    guided(world.x, world.sigma)
    assert world.denoise.calls == [(6, False), (3, True)]
    assert world.decode.calls == world.embed.calls == [(1, True)] * 3


def test_an_expected_neighbour_that_is_another_one_is_predicted_again():
    world = SmallWorld(batch=1)
    guided = world.guide(AMG(**OPEN))
    guided(world.x, world.sigma)
    first = guided.trace[0].neighbour[0]
    turned = world.index.unit.clone()
    turned[first] *= -1
    world.index = guided.index = ToyIndex(turned)
    world.denoise.calls.clear()
    result = guided(world.x, world.sigma)
    assert guided.trace[1].neighbour[0] != first
    assert world.denoise.calls == [(2, False), (1, True), (1, False)]
    assert torch.allclose(result, world.guide(AMG(**OPEN))(world.x, world.sigma), atol=1e-6)


def test_only_the_samples_that_opened_get_a_graph():
    world = SmallWorld()
    probe = world.guide(AMG(**SHUT))
    probe(world.x, world.sigma)
    low, middle, high = sorted(probe.trace[0].value)
    assert low < middle < high
    limit = (middle + high) / 2
    world.denoise.calls.clear()
    guided = world.guide(AMG(lambda_min=limit, lambda_max=limit))
    guided(world.x, world.sigma)
    assert sum(guided.trace[0].acted) == 1
    assert world.denoise.calls == [(6, False), (1, True), (1, False)]

    # one expected open, two shut: three unconditional, two conditional, one neighbour's
    world.denoise.calls.clear(), world.decode.calls.clear()
    guided(world.x, world.sigma)
    assert world.denoise.calls == [(6, False), (1, True)]
    assert world.decode.calls == [(1, False), (1, False), (1, True)]


def test_a_failed_expectation_changes_nothing():
    world = SmallWorld()
    guided = world.guide(AMG(**OPEN))
    guided(world.x, world.sigma)
    guided.settings = AMG(**SHUT)
    result = guided(world.x, world.sigma)
    assert not any(guided.trace[1].acted)
    assert not result.requires_grad
    assert torch.allclose(result, world.plain()(world.x, world.sigma), atol=1e-6)
    world.denoise.calls.clear()
    guided(world.x, world.sigma)
    assert world.denoise.calls == [(6, False)]


def test_captions_are_encoded_once():
    world = SmallWorld()
    guided = world.guide(AMG(**OPEN))
    x = world.x
    for level in (20.0, 5.0, 3.0, 1.0, 0.5):
        x = guided(x, torch.full((3,), level))
    met = {position for step in guided.trace for position in step.neighbour}
    assert sorted(world.encoded) == sorted(met)


def test_without_dissimilarity_no_graph():
    world = SmallWorld()
    guided = world.guide(AMG(c3=0, **OPEN))
    for _ in range(2):
        guided(world.x, world.sigma)
    assert world.denoise.calls == [(6, False), (3, False), (9, False)]
    assert world.decode.calls == [(1, False)] * 6


def test_without_deduplication_no_neighbours():
    world = SmallWorld()
    guided = world.guide(AMG(c2=0, **OPEN))
    for _ in range(2):
        guided(world.x, world.sigma)
    assert world.denoise.calls == [(6, False), (3, True), (3, False), (3, True)]
    assert world.encoded == []


@pytest.mark.parametrize(
    ("c1", "c2", "first", "then"),
    [
        (1000, 3, [(6, False), (3, True)], [(3, True)]),  # s1 takes all the room: the prompt alone is left
        (1, 1000, [(6, False), (3, True), (3, False)], [(3, False), (3, True)]),  # s2 takes what s1 leaves
    ],
)
def test_an_unconditional_prediction_that_drops_out_is_not_made(c1, c2, first, then):
    world = SmallWorld()
    world.index = ToyIndex(world.index.unit.abs())  # all similarities above 0
    guided = world.guide(AMG(c1, c2, **OPEN), s0=3.0)
    result = guided(world.x, world.sigma)
    assert world.denoise.calls == first
    world.denoise.calls.clear()
    assert torch.allclose(guided(world.x, world.sigma), result, atol=1e-5)
    assert world.denoise.calls == then

    # and is made again when it is needed again
    guided.settings = AMG(**SHUT)
    assert torch.allclose(guided(world.x, world.sigma), world.plain(s0=3.0)(world.x, world.sigma), atol=1e-6)


def test_networks_are_left_without_gradients():
    world = SmallWorld()
    world.guide(AMG(**OPEN))(world.x, world.sigma)
    parameters = [p for part in (world.denoise, world.decode, world.embed) for p in part.network.parameters()]
    assert all(parameter.grad is None for parameter in parameters)


def test_a_whole_trajectory_through_a_sampler():
    world = SmallWorld()
    guided = world.guide(AMG(c3=1.0, lambda_min=0.5, lambda_max=0.9))
    sigmas = polyexponential_sigmas(8, 0.3, 50)
    seeds = [0, 1, 2]
    noise = BrownianTreeNoise((2, 6), 0.3, 50, seeds)
    result = sample_dpmpp_3m_sde(guided, initial_noise((2, 6), seeds) * 50, sigmas, noise)
    assert result.isfinite().all()
    assert result.dtype == torch.float32
    assert not result.requires_grad
    assert [step.sigma for step in guided.trace] == pytest.approx(sigmas[:-1].tolist(), rel=1e-6)


# --- plain guidance


def test_plain_guidance_is_one_call_and_traces_the_noise_level():
    world = SmallWorld()
    plain = world.plain(s0=3.0)
    result = plain(world.x, world.sigma)
    assert world.denoise.calls == [(6, False)]
    network = world.denoise.network
    d_u = network(world.x, world.sigma, world.unconditional)
    d_c = network(world.x, world.sigma, world.conditional)
    assert torch.allclose(result, d_u + 3 * (d_c - d_u), atol=1e-6)
    (step,) = plain.trace
    assert step.sigma == 1.5
    assert step.value is step.threshold is step.neighbour is step.acted is None


# --- guidance scale 1


@pytest.mark.parametrize("s0", [0.5, 1.0])
def test_no_room_in_the_guidance_scale_is_said_and_only_dissimilarity_acts(s0):
    world = SmallWorld()
    with pytest.warns(GuidanceWarning, match=r"no room for c1 and c2: only dissimilarity \(c3\) acts"):
        guided = world.guide(AMG(**OPEN), s0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = guided(world.x, world.sigma)
        alone = world.guide(AMG(c1=0, c2=0, **OPEN), s0)(world.x, world.sigma)
    assert guided.trace[0].s1 == guided.trace[0].s2 == [0.0] * 3
    assert torch.equal(result, alone)
    assert world.encoded == []


def test_nothing_left_at_all_is_said():
    with pytest.warns(GuidanceWarning, match="does nothing"):
        SmallWorld().guide(AMG(c3=0), s0=1.0)


# --- numbers that are none


class RootOfZero(nn.Module):
    """Finite forwards, infinite backwards."""

    def forward(self, waveform):
        zero = (waveform * 0).sum(dim=(1, 2))[:, None]
        return unit(1 + zero.sqrt() + torch.arange(8.0))


def test_a_gradient_that_is_not_finite_names_step_sigma_sample_and_cause():
    world = SmallWorld()
    guided = world.guide(AMG(**OPEN))
    guided(world.x, world.sigma)
    guided.embed = Counted(RootOfZero())
    message = (
        r"step 2 \(sigma 1.5\), sample 0: the gradient of the similarity is not finite, although prediction "
        r"and sound are \(float16 overflows easily: load the model in bfloat16 or float32\)"
    )
    with pytest.raises(GuidanceError, match=message):
        guided(world.x, world.sigma)


@pytest.mark.parametrize(
    ("part", "broken", "message"),
    [
        ("denoise", lambda y: y * torch.inf, "because the model's prediction is not"),
        ("decode", lambda y: y * 1e38 * 1e38, "because the decoded sound is not"),
        ("decode", lambda y: y * 0, "because the decoded sound is silent"),
    ],
)
def test_a_similarity_that_is_no_number_does_not_shut_the_gate_in_silence(part, broken, message):
    world = SmallWorld()
    guided = world.guide(AMG(**OPEN))
    sound, calls = getattr(guided, part), count(1)

    def broken_for_the_second_sample(x, *rest):
        y, call = sound(x, *rest), next(calls)
        if len(y) == 1:  # one sample a call; the fourth asks for the cause
            return broken(y) if call in (2, 4) else y
        return torch.stack([broken(row) if row_number == 4 else row for row_number, row in enumerate(y)])

    setattr(guided, part, broken_for_the_second_sample)
    guided.embed = lambda waveform: unit(waveform[:, 0, :8])
    with pytest.raises(GuidanceError, match=rf"step 1 .*sample 1: the similarity is not finite, {message}"):
        guided(world.x, world.sigma)


def test_gradients_too_small_for_half_precision_do_not_vanish():
    world = SmallWorld()

    def decode(half: bool):
        return lambda latents: (latents.half() if half else latents).float()

    def embed(waveform):
        small = 1e-8 * waveform.sum(dim=2)
        return unit(torch.cat([torch.ones_like(small), small], dim=1))

    def term(half: bool) -> Tensor:
        terms = []
        for c3 in (1e6, 0.0):
            guided = world.guide(AMG(0, 0, c3, **OPEN))
            guided.index, guided.decode, guided.embed = ToyIndex(torch.ones(1, 4)), decode(half), embed
            terms.append(guided(world.x, world.sigma))
        return terms[0] - terms[1]

    assert term(half=False).abs().min() > 0
    assert torch.allclose(term(half=True), term(half=False), rtol=0.05)
