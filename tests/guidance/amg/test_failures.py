"""What AMG's denoiser says where it cannot act, and where numbers are not finite."""

from __future__ import annotations

import warnings
from itertools import count

import pytest
import torch
from small_networks import OPEN, Counted, SmallWorld
from torch import Tensor, nn
from toy_world import ToyIndex, unit

from unheard.diffusion.settings import PURE_NOISE
from unheard.errors import GuidanceError, InputError
from unheard.guidance.amg.settings import AMG
from unheard.guidance.base import GuidanceWarning


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


def test_noise_space_is_refused_in_pure_noise():
    world, pure = SmallWorld(), torch.full((3,), PURE_NOISE)
    guided = world.guide(AMG(dissimilarity_space="noise", **OPEN))
    with pytest.raises(InputError, match="weighs by sigma\\^2, but the schedule begins in pure noise"):
        guided(world.x, pure)
    assert world.guide(AMG(**OPEN))(pure[:, None, None] * world.x, pure).isfinite().all()


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
