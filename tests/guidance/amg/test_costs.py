"""What AMG's denoiser computes, and what it leaves uncomputed."""

from __future__ import annotations

import pytest
import torch
from small_networks import OPEN, SHUT, SmallWorld
from toy_world import ToyIndex

from unheard.diffusion.brownian import BrownianNoise
from unheard.diffusion.noise import initial_noise
from unheard.diffusion.samplers import sample_dpmpp_3m_sde
from unheard.diffusion.schedules import polyexponential_sigmas
from unheard.guidance.amg import denoiser
from unheard.guidance.amg.settings import AMG


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
    assert world.denoise.calls == [(3, True), (6, False)]
    assert world.decode.calls == world.embed.calls == [(1, True)] * 3


@pytest.mark.parametrize(
    ("c3", "calls"),
    [
        (0.0, [(3, False), (1, False)]),
        (100.0, [(1, True), (2, False)]),  # nothing is expected where all waits for the gate
    ],
)
def test_an_expected_neighbour_that_is_another_one_is_predicted_again(c3, calls):
    world = SmallWorld(batch=1)
    amg = AMG(c3=c3, **OPEN)
    guided = world.guide(amg)
    guided(world.x, world.sigma)
    first = guided.trace[0].neighbour[0]
    turned = world.index.unit.clone()
    turned[first] *= -1
    world.index = guided.index = ToyIndex(turned)
    world.denoise.calls.clear()
    result = guided(world.x, world.sigma)
    assert guided.trace[1].neighbour[0] != first
    assert world.denoise.calls == calls
    assert torch.allclose(result, world.guide(amg)(world.x, world.sigma), atol=1e-6)


def test_only_the_samples_that_opened_get_a_graph(monkeypatch):
    monkeypatch.setattr(denoiser, "LIKELY", 0.0)
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


def level_below(world, margin):
    """Settings whose threshold lies this much above the highest similarity, of a batch of one."""
    probe = world.guide(AMG(**SHUT))
    probe(world.x, world.sigma)
    world.denoise.calls.clear(), world.decode.calls.clear(), world.embed.calls.clear()
    limit = max(probe.trace[0].value) + margin
    return {"lambda_min": limit, "lambda_max": limit}


def test_a_gate_that_opens_from_near_computes_nothing_twice():
    world = SmallWorld(batch=1)
    guided = world.guide(AMG(**level_below(world, denoiser.LIKELY / 2)))
    guided(world.x, world.sigma)
    assert world.denoise.calls == [(2, False)]
    guided.settings = AMG(**level_below(world, -denoiser.LIKELY / 2))  # it opens
    result = guided(world.x, world.sigma)
    assert world.denoise.calls == [(1, True), (2, False)]
    assert world.decode.calls == world.embed.calls == [(1, True)]
    torch.testing.assert_close(result, world.guide(guided.settings)(world.x, world.sigma))


def test_a_gate_that_stays_shut_near_the_threshold_goes_no_way_back(monkeypatch):
    world = SmallWorld()
    guided = world.guide(AMG(**level_below(world, 1e-3)))
    guided(world.x, world.sigma)

    def refuse(*_):
        raise AssertionError("a gradient that nobody asked for")

    monkeypatch.setattr(torch.autograd, "grad", refuse)
    result = guided(world.x, world.sigma)
    assert (1, True) in world.decode.calls
    torch.testing.assert_close(result, world.plain()(world.x, world.sigma))


def test_far_from_the_threshold_the_gate_is_asked_every_so_often():
    world = SmallWorld()
    guided, plain = world.guide(AMG(ask_every=3, **SHUT)), world.plain()
    for step in range(7):
        result = guided(world.x, world.sigma)
        torch.testing.assert_close(result, plain(world.x, world.sigma))
        assert len(world.decode.calls) == 3 * (step // 3 + 1)
    asked = [step.value[0] is not None for step in guided.trace]
    assert asked == [True, False, False, True, False, False, True]
    assert guided.trace[1].neighbour == guided.trace[1].s1 == guided.trace[1].s2 == [None] * 3
    assert guided.trace[1].acted == [False] * 3
    assert guided.trace[1].threshold == guided.trace[0].threshold


def test_near_the_threshold_the_gate_is_asked_in_every_step_and_of_each_sample_for_itself():
    world = SmallWorld()
    probe = world.guide(AMG(**SHUT))
    probe(world.x, world.sigma)
    low, middle, high = sorted(probe.trace[0].value)
    margin = (high - middle) / 2
    guided = world.guide(AMG(ask_every=5, ask_margin=margin, lambda_min=high + 1e-3, lambda_max=high + 1e-3))
    guided(world.x, world.sigma)
    guided(world.x, world.sigma)
    assert sum(value is not None for value in guided.trace[1].value) == 1
    everyone = world.guide(
        AMG(ask_every=5, ask_margin=high - low + 1, lambda_min=high + 1e-3, lambda_max=high + 1e-3)
    )
    for _ in range(2):
        everyone(world.x, world.sigma)
    assert None not in everyone.trace[1].value


def test_an_open_gate_is_asked_in_every_step():
    world = SmallWorld()
    seldom, always = world.guide(AMG(ask_every=9, **OPEN)), world.guide(AMG(**OPEN))
    for _ in range(3):
        assert torch.equal(seldom(world.x, world.sigma), always(world.x, world.sigma))
    assert seldom.trace == always.trace


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
    assert world.denoise.calls == [(6, False), (3, True), (3, True), (3, False)]
    assert world.encoded == []


@pytest.mark.parametrize(
    ("c1", "c2", "first", "then"),
    [
        (1000, 3, [(6, False), (3, True)], [(3, True)]),  # s1 takes all the room: the prompt alone is left
        (1, 1000, [(6, False), (3, True), (3, False)], [(3, True), (3, False)]),  # s2 takes what s1 leaves
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
    noise = BrownianNoise((2, 6), seeds, sigmas.tolist())
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
