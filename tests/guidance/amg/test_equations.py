"""The guidance's equations, against the recorded steps and by their properties."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toy_world import ToyWorld

from unheard.diffusion.prediction import classifier_free
from unheard.guidance.amg import equations

WORLD = ToyWorld()

sigmas = st.floats(1e-3, 1e3)
similarities = st.floats(-1, 1)
weights = st.floats(0, 20)
scales = st.floats(0, 20)
cosines = st.floats(-1, 1)


def vector(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def case_id(case):
    return f"{case['name']} at {case['sigma']}"


@pytest.mark.parametrize("case", WORLD.cases, ids=case_id)
def test_the_equations_give_the_recorded_step(case):
    """The step of the contract, written out with the pure functions on the toy maps."""
    x = torch.tensor(case["x"], dtype=torch.float64)
    sigma = torch.full((3,), case["sigma"], dtype=torch.float64)
    similarity, gradient = (
        vector(*case["similarity"]),
        torch.tensor(case["grad_similarity"], dtype=torch.float64),
    )
    s0 = case["guidance_scale"]

    unconditional = WORLD.denoise(x, sigma, WORLD.unconditional(3))
    conditional = WORLD.denoise(x, sigma, WORLD.conditioning("prompt0", "prompt1", "prompt2"))
    neighbour = WORLD.denoise(x, sigma, WORLD.encode_neighbours(case["neighbour"]))
    threshold = equations.threshold(sigma, case["lambda_min"], case["lambda_max"])
    s1 = equations.despecification_scale(similarity, case["c1"], s0)
    s2 = equations.deduplication_scale(similarity, case["c2"], s0, s1)
    correction = (
        equations.despecification(unconditional, conditional, s1)
        + equations.deduplication(unconditional, neighbour, s2)
        + equations.dissimilarity(gradient, sigma, case["c3"], case["dissimilarity_space"])
    )
    active = similarity > threshold
    guided = classifier_free(unconditional, conditional, s0) + active[:, None, None] * correction

    assert threshold.tolist() == pytest.approx([case["threshold"]] * 3, abs=1e-12)
    assert s1.tolist() == pytest.approx(case["s1"], abs=1e-12)
    assert s2.tolist() == pytest.approx(case["s2"], abs=1e-12)
    assert active.tolist() == case["active"]
    assert (guided - torch.tensor(case["guided"], dtype=torch.float64)).abs().max() < 1e-9


@given(sigmas, sigmas, cosines, cosines)
def test_the_threshold_lies_between_its_ends_and_falls_with_sigma(sigma, other, one, two):
    low, high = sorted((one, two))
    less, more = sorted((sigma, other))
    at_less, at_more = equations.threshold(vector(less, more), low, high).tolist()
    assert low - 1e-12 <= at_more <= at_less + 1e-12
    assert at_less <= high + 1e-12


@given(similarities, weights, weights, scales)
def test_the_scales_never_take_the_guidance_below_one(similarity, c1, c2, s0):
    s1 = equations.despecification_scale(vector(similarity), c1, s0)
    s2 = equations.deduplication_scale(vector(similarity), c2, s0, s1)
    assert s1.item() >= 0
    assert s2.item() >= 0
    assert (s1 + s2).item() <= max(s0 - 1, 0) + 1e-12


@given(similarities, weights, weights, st.floats(0, 1))
def test_a_guidance_scale_of_one_or_less_leaves_no_room(similarity, c1, c2, s0):
    s1 = equations.despecification_scale(vector(similarity), c1, s0)
    assert s1.item() == 0
    assert equations.deduplication_scale(vector(similarity), c2, s0, s1).item() == 0


@given(similarities, weights, weights, scales)
def test_the_share_of_the_unconditional_prediction(similarity, c1, c2, s0):
    s1 = equations.despecification_scale(vector(similarity), c1, s0)
    s2 = equations.deduplication_scale(vector(similarity), c2, s0, s1)
    share = equations.unconditional_weight(s0, s1, s2)
    assert share.item() == pytest.approx(1 - s0 + s1.item() + s2.item(), abs=1e-12)


@given(st.floats(0.1, 1), st.floats(1, 20), st.sampled_from([torch.float32, torch.float64]))
def test_the_unconditional_prediction_drops_out_exactly(similarity, s0, dtype):
    for c1, c2 in ((0.0, 1000.0), (1.0, 1000.0), (1000.0, 0.0), (1000.0, 3.0)):
        sim = torch.tensor([similarity], dtype=dtype)
        s1 = equations.despecification_scale(sim, c1, s0)
        assert equations.unconditional_weight(s0, s1, equations.deduplication_scale(sim, c2, s0, s1)) == 0


@given(st.floats(-1, 0), weights, weights)
def test_no_similarity_no_scales(similarity, c1, c2):
    s1 = equations.despecification_scale(vector(similarity), c1, 7.0)
    assert s1.item() == 0
    assert equations.deduplication_scale(vector(similarity), c2, 7.0, s1).item() == 0


@given(sigmas)
def test_the_dissimilarity_weights_are_those_of_the_paper_and_of_the_published_code(sigma):
    published = math.sqrt(1 - 1 / (1 + sigma**2))
    weight = equations.dissimilarity_weight(vector(sigma), "denoised").item()
    assert weight == pytest.approx(published, rel=1e-6)
    # paper: eps += c3 sqrt(1 - ab) d/dz, with d/dz = d/dx / sqrt(ab) and D = x - sigma * eps
    ab = 1 / (1 + sigma**2)
    exact = sigma * math.sqrt(1 - ab) / math.sqrt(ab)
    assert equations.dissimilarity_weight(vector(sigma), "noise").item() == pytest.approx(exact, rel=1e-6)


def test_an_unknown_space_is_refused():
    with pytest.raises(ValueError, match="unknown dissimilarity space 'latent'"):
        equations.dissimilarity_weight(vector(1.0), "latent")


@given(st.permutations(range(3)))
def test_every_sample_has_its_own_scales(order):
    unconditional, conditional = torch.arange(12.0).reshape(3, 2, 2), torch.ones(3, 2, 2)
    s1 = torch.tensor([0.0, 1.0, 2.0])
    together = equations.despecification(unconditional, conditional, s1)
    shuffled = equations.despecification(unconditional[order], conditional[order], s1[order])
    assert torch.equal(together[order], shuffled)
