"""The noise of a trajectory: by its seeds, by its law, and drawn ahead."""

from __future__ import annotations

import math
import threading
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from small_networks import SmallWorld
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from unheard.diffusion.brownian import COARSEST, BrownianNoise, halvings_for
from unheard.diffusion.brownian_tree import BrownianTreeNoise
from unheard.diffusion.levels import level_of, levels_of, same_level
from unheard.diffusion.noise import DrawnAhead, initial_noise, noise_of
from unheard.diffusion.samplers import SAMPLERS
from unheard.diffusion.schedules import flow_sigmas, polyexponential_sigmas
from unheard.diffusion.settings import PURE_NOISE, STOCHASTIC, Sampling

PUBLISHED = polyexponential_sigmas(100, 0.3, 500).tolist()
SCHEDULES = {
    "published": PUBLISHED,
    "a thousand steps": polyexponential_sigmas(1000, 0.03, 500).tolist(),
    "flow": flow_sigmas(torch.linspace(1, 0, 51)[:-1]).clamp(max=PURE_NOISE).tolist(),
    "eight steps": polyexponential_sigmas(8, 0.1, 100).tolist(),
    "within an octave": polyexponential_sigmas(500, 1.01, 1.99).tolist(),
}


def increments(noise: BrownianNoise, levels: list[float]) -> Tensor:
    """Of consecutive levels, [intervals, values]."""
    return torch.stack([noise(*interval)[0] for interval in pairwise(levels)])


@pytest.mark.parametrize("levels", SCHEDULES.values(), ids=SCHEDULES)
def test_increments_are_independent_and_standard_normal(levels: list[float]) -> None:
    """Moments, the whole distribution, and the correlation of every interval with every other."""
    levels = levels[:-1][:: max(len(levels) // 60, 1)] if len(levels) > 400 else levels[:-1]
    values = 3000
    drawn = increments(BrownianNoise((values,), [11], SCHEDULES["a thousand steps"] + levels), levels)
    assert drawn.mean(dim=1).abs().max() < 5 / math.sqrt(values)
    assert (drawn.var(dim=1) - 1).abs().max() < 5 * math.sqrt(2 / values)
    assert torch.corrcoef(drawn).fill_diagonal_(0).abs().max() < 5.5 / math.sqrt(values)
    assert stats.kstest(drawn.flatten().numpy(), "norm").pvalue > 1e-4
    # Neighbouring steps of one value: a random walk's squares add up.
    total = drawn.square().sum(dim=0)
    assert stats.kstest(total.numpy(), "chi2", args=(len(drawn),)).pvalue > 1e-4


def test_increments_over_unequal_intervals_have_the_joint_law_of_one_motion() -> None:
    """Asked for in any order and across octaves: covariances are the shared time, of time `1 / sigma^2`."""
    noise = BrownianNoise((20_000,), [5], [40, 9, 6.5, 6, 5, 0.7])
    intervals = [(9.0, 6.5), (40.0, 5.0), (6.5, 6.0), (6.0, 0.7), (40.0, 0.7), (9.0, 5.0)]

    def shared(one: tuple[float, float], other: tuple[float, float]) -> float:
        high, low = min(one[0], other[0]), max(one[1], other[1])
        return max(low**-2 - high**-2, 0.0) if high > low else 0.0

    drawn = torch.stack([noise(*interval)[0] for interval in intervals])
    expected = torch.tensor(
        [
            [shared(one, other) / math.sqrt(shared(one, one) * shared(other, other)) for other in intervals]
            for one in intervals
        ]
    )
    torch.testing.assert_close(drawn @ drawn.T / drawn.shape[1], expected, atol=0.04, rtol=0)


def test_increments_add_up() -> None:
    levels = [400.0, 120.0, 9.0, 8.5, 0.5]
    noise = BrownianNoise((1000,), [3], levels)

    def increment(high: float, low: float) -> Tensor:
        return noise(high, low)[0] * math.sqrt(low**-2 - high**-2)

    whole = increment(levels[0], levels[-1])
    torch.testing.assert_close(sum(increment(*interval) for interval in pairwise(levels)), whole)


def test_noise_depends_on_the_seed_alone() -> None:
    """Not on what was asked before, on the order, or on the range of levels."""
    straight, wandering = BrownianNoise((4,), [7]), BrownianNoise((4,), [7], PUBLISHED)
    wandering(500.0, 77.0), wandering(2.0, 1.0), wandering(77.0, 19.0)
    assert torch.equal(straight(20.0, 10.0), wandering(20.0, 10.0))
    assert torch.equal(straight(10.0, 20.0), wandering(20.0, 10.0))
    assert straight(PURE_NOISE, 1e-4).isfinite().all()


@given(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=4, unique=True))
@settings(max_examples=10, deadline=None)
def test_a_seed_gives_its_noise_whatever_the_batch(seeds: list[int]) -> None:
    batch = BrownianNoise((2, 3), seeds)(100.0, 30.0)
    starts = initial_noise((2, 3), seeds)
    for i, seed in enumerate(seeds):
        assert torch.equal(batch[i], BrownianNoise((2, 3), [seed])(100.0, 30.0)[0])
        assert torch.equal(starts[i], initial_noise((2, 3), [seed])[0])
    assert len({tuple(row.flatten().tolist()) for row in batch}) == len(seeds)


def test_noise_and_start_are_unrelated() -> None:
    start, first = initial_noise((20_000,), [5])[0], BrownianNoise((20_000,), [5])(500, 400)[0]
    assert torch.corrcoef(torch.stack([start, first]))[0, 1].abs() < 0.03


@pytest.mark.parametrize("levels", SCHEDULES.values(), ids=SCHEDULES)
def test_a_cell_holds_one_level(levels: list[float]) -> None:
    halvings = halvings_for(levels)
    octaves = [math.frexp(level) for level in levels if level > 0]
    cells = {(octave, math.floor((mantissa**-2 - 1) / 3 * 2**halvings)) for mantissa, octave in octaves}
    assert len(cells) == len(octaves)
    assert halvings >= COARSEST
    assert halvings_for([1.5, 1.5, 0.0]) == COARSEST


MEAN, DEVIATION = 2.0, 0.5


def gaussian_denoiser(x: Tensor, sigma: Tensor) -> Tensor:
    """Of data that are Gaussian."""
    s2, v = (sigma**2).reshape(-1, 1), DEVIATION**2
    return (v * x + s2 * MEAN) / (v + s2)


@pytest.mark.parametrize("name", ["dpmpp_2m_sde", "dpmpp_3m_sde"])
def test_more_steps_solve_the_same_equation_more_finely(name: str) -> None:
    """Strong convergence: with one seed, and so one motion, results of more steps draw together."""
    ends = []
    for steps in (20, 40, 80, 160):
        sigmas = polyexponential_sigmas(steps, 0.1, 50)
        x = initial_noise((2000,), [1], dtype=torch.float64) * sigmas[0]
        noise = BrownianNoise((2000,), [1], sigmas.tolist())
        ends.append(SAMPLERS[name](gaussian_denoiser, x, sigmas, noise))
    apart = [float((one - other).square().mean().sqrt()) for one, other in pairwise(ends)]
    assert apart[1] < 0.55 * apart[0]
    assert apart[2] < 0.55 * apart[1]
    assert apart[2] < 0.04 * float(ends[-1].std())


# --- drawn ahead


class Recorded:
    """Noise that remembers what was drawn, and where."""

    def __init__(self) -> None:
        self.drawn: list[tuple[float, float]] = []
        self.threads: set[str] = set()
        self.enough = threading.Event()

    def __call__(self, sigma: float, sigma_next: float) -> Tensor:
        self.drawn.append((sigma, sigma_next))
        self.threads.add(threading.current_thread().name)
        if len(self.drawn) == 2:
            self.enough.set()
        return torch.tensor([sigma, sigma_next])


def test_the_next_interval_is_drawn_before_it_is_asked_for() -> None:
    source = Recorded()
    noise = DrawnAhead(source, [4.0, 3.0, 2.0, 1.0, 0.0])
    assert source.drawn == []
    assert noise(4.0, 3.0).tolist() == [4, 3]
    assert source.enough.wait(10)
    assert source.drawn == [(4, 3), (3, 2)]
    assert noise(3.0, 2.0).tolist() == [3, 2]
    assert noise(2.0, 1.0).tolist() == [2, 1]
    assert noise(2.5, 1.0).tolist() == [2.5, 1]  # not in the schedule
    assert source.drawn == [(4, 3), (3, 2), (2, 1), (2.5, 1)]
    assert all(name.startswith("noise") for name in source.threads)


def test_what_goes_wrong_in_the_thread_is_raised_where_it_is_asked_for() -> None:
    def broken(sigma: float, sigma_next: float) -> Tensor:
        raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        DrawnAhead(broken, [2.0, 1.0, 0.0])(2.0, 1.0)


@pytest.mark.parametrize("name", STOCHASTIC)
def test_drawing_ahead_changes_nothing(name: str) -> None:
    sigmas = polyexponential_sigmas(6, 0.3, 50)
    x = torch.ones(2, 5)
    ends = [
        SAMPLERS[name](gaussian_denoiser, x, sigmas, noise)
        for noise in (
            BrownianNoise((5,), [1, 2], sigmas.tolist()),
            noise_of(Sampling(name), sigmas, (5,), [1, 2]),
        )
    ]
    assert torch.equal(*ends)


def test_the_noise_of_older_sounds_is_torchsdes() -> None:
    sampling = Sampling(sigma_min=0.3, sigma_max=50, noise="torchsde")
    sigmas = polyexponential_sigmas(6, 0.3, 50)
    old = BrownianTreeNoise((5,), 0.3, 50, [1, 2])
    assert torch.equal(noise_of(sampling, sigmas, (5,), [1, 2])(20.0, 10.0), old(20.0, 10.0))


def test_samplers_that_add_no_noise_say_nothing_of_it() -> None:
    assert "noise" not in Sampling("euler").described()
    assert Sampling().described()["noise"] == "levy"


# --- levels


class Waiting(TorchDispatchMode):
    """Counts how often a number is read from a tensor, for which a device would be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.times = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.times += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


def test_the_level_of_a_batch_is_known_without_asking_it() -> None:
    levels = same_level(0.1, torch.zeros(3, 2))
    assert levels.tolist() == [float(torch.tensor(0.1))] * 3 == levels_of(levels)
    assert level_of(levels) == levels[0].item()
    with Waiting() as waiting:
        level_of(levels), levels_of(levels)
    assert waiting.times == 0
    assert level_of(levels / 2) == levels[0].item() / 2  # one that nobody has told of
    assert levels_of(torch.tensor([1.0, 2.0])) == [1.0, 2.0]


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_plain_step_waits_for_no_device(name: str) -> None:
    sigmas = polyexponential_sigmas(6, 0.3, 50)
    world = SmallWorld()
    guidance = world.plain()
    noise = noise_of(Sampling(name), sigmas, world.x.shape[1:], [1, 2, 3])

    def model(x: Tensor, sigma: Tensor) -> Tensor:
        denoised = guidance(x, sigma)
        counted.append(waiting.times)
        return denoised

    counted: list[int] = []
    with Waiting() as waiting:
        SAMPLERS[name](model, world.x, sigmas, noise)
    # What telling a level costs is one number on the CPU, made there.
    assert len(counted) == 6
    assert waiting.times <= 6
    assert [step.sigma for step in guidance.trace] == pytest.approx(sigmas[:-1].tolist())
