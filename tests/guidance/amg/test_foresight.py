"""AMG's gate where a foresight tells from predictions alone that it stays shut."""

from __future__ import annotations

import pytest
import torch
from small_networks import OPEN, SHUT, SmallWorld
from torch import Tensor

from unheard.errors import InputError
from unheard.guidance.amg.denoiser import Foresight
from unheard.guidance.amg.gate_head import Fit, GateHead, read, write
from unheard.guidance.amg.settings import AMG


def foresight(world: SmallWorld, margin: float) -> Foresight:
    """One that is right."""

    def embed(denoised: Tensor) -> Tensor:
        return world.embed.network(world.decode.network(denoised))

    return Foresight(embed, margin)


def similarities(world: SmallWorld) -> list[float]:
    probe = world.guide(AMG(**SHUT))
    probe(world.x, world.sigma)
    world.decode.calls.clear()
    return [float(value) for value in probe.trace[0].value]


def test_a_gate_that_is_seen_shut_costs_no_decoding_and_gives_the_plain_step():
    world = SmallWorld()
    guided = world.guide(AMG(**SHUT))
    guided.foresight = foresight(world, 0.1)
    assert torch.equal(guided(world.x, world.sigma), world.plain()(world.x, world.sigma))
    assert world.decode.calls == []
    assert guided.trace[0].value == guided.trace[0].neighbour == [None] * 3
    assert guided.trace[0].acted == [False] * 3


def test_an_open_gate_gives_what_it_gives_without():
    world = SmallWorld()
    with_it, without = world.guide(AMG(**OPEN)), world.guide(AMG(**OPEN))
    with_it.foresight = foresight(world, 0.0)
    for _ in range(2):
        assert torch.equal(with_it(world.x, world.sigma), without(world.x, world.sigma))
    assert with_it.trace == without.trace


def test_only_the_samples_within_the_margin_are_asked():
    world = SmallWorld()
    _, middle, high = sorted(similarities(world))
    limit = high + 1e-3
    guided = world.guide(AMG(lambda_min=limit, lambda_max=limit))
    guided.foresight = foresight(world, (high - middle) / 2)
    guided(world.x, world.sigma)
    assert sorted(value is not None for value in guided.trace[0].value) == [False, False, True]
    assert len(world.decode.calls) == 1


def test_a_foresight_that_is_no_number_is_no_reason_not_to_ask():
    world = SmallWorld()
    guided = world.guide(AMG(**SHUT))
    guided.foresight = Foresight(lambda denoised: torch.full((len(denoised), 8), torch.nan), 0.0)
    guided(world.x, world.sigma)
    assert None not in guided.trace[0].value


def test_it_is_asked_as_seldom_as_the_gate():
    world, asked = SmallWorld(), []
    exact = foresight(world, 0.1)
    guided = world.guide(AMG(ask_every=3, **SHUT))
    guided.foresight = Foresight(lambda denoised: asked.append(1) or exact.embed(denoised), 0.1)
    for _ in range(4):
        guided(world.x, world.sigma)
    assert len(asked) == 2


FIT = Fit("toy", "sha256:aa", "bb", 4, 8, 1.0, 0.1, 30, 10, 10, 0)


def test_a_head_takes_any_number_of_frames_and_comes_back_from_its_file(tmp_path):
    head, path = GateHead(4, 8), tmp_path / "head.safetensors"
    write(path, head, FIT)
    again, fit = read(path, torch.device("cpu"))
    assert fit == FIT
    for frames in (1, 3, 50):
        latents = torch.randn(2, 4, frames)
        assert again(latents).shape == (2, 8)
        torch.testing.assert_close(again(latents), head(latents), rtol=0, atol=5e-3)
        torch.testing.assert_close(again(latents).norm(dim=-1), torch.ones(2))


@pytest.mark.parametrize("content", [b"", b"no head", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_file_that_is_no_head_is_named(tmp_path, content):
    path = tmp_path / "head.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match="no gate head"):
        read(path, torch.device("cpu"))
    with pytest.raises(InputError, match="no gate head"):
        read(tmp_path / "absent", torch.device("cpu"))
