"""The baselines do what their papers say: on the toy maps, and against independent formulas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_world import CAPTIONS
from toy_world import ToyWorld

import unheard
from unheard.backbones import Conditioning
from unheard.diffusion.prediction import pull
from unheard.guidance.amg import equations
from unheard.guidance.attraction_basin.denoiser import AttractionBasinDenoiser
from unheard.guidance.attraction_basin.settings import AttractionBasin
from unheard.guidance.classifier_free import ClassifierFreeGuidance
from unheard.guidance.prompt_adjustment.denoiser import PromptAdjustmentDenoiser
from unheard.guidance.prompt_adjustment.settings import PromptAdjustment
from unheard.guidance.volumetric.denoiser import RIDGE, VolumetricDenoiser, log_volume, low_pass
from unheard.guidance.volumetric.settings import Volumetric

WORLD = ToyWorld()
SCALE = 3.0


class Pulls:
    """A denoiser whose conditional prediction is off the unconditional one by what each sample is told."""

    def __init__(self, pulls: list[list[float]]) -> None:
        self.pulls = pulls
        self.step = -1

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor, told: Conditioning) -> torch.Tensor:
        self.step += 1
        off = [each[self.step] for each in self.pulls]
        return torch.cat([torch.zeros_like(x[: len(off)]), torch.ones_like(x[: len(off)])]) * torch.tensor(
            [0.0] * len(off) + off
        )[:, None, None].to(x)


def basin(
    pulls: list[list[float]], settings: AttractionBasin
) -> tuple[torch.Tensor, AttractionBasinDenoiser]:
    """The scales of every step [steps, samples], at noise level 1."""
    some = ("prompt0", "prompt1")[: len(pulls)]
    denoiser = AttractionBasinDenoiser(
        Pulls(pulls), WORLD.conditioning(*some), WORLD.unconditional(len(some)),
        guidance_scale=SCALE, settings=settings,
    )  # fmt: skip
    x, sigma = torch.ones(len(pulls), 2, 6), torch.ones(len(pulls))
    steps = [denoiser(x, sigma)[:, 0, 0] for _ in pulls[0]]
    return torch.stack(steps) / torch.tensor(pulls).T, denoiser


def test_basin_waits_for_the_first_local_minimum_of_each_sample() -> None:
    pulls = [[5.0, 3.0, 2.0, 2.5, 4.0, 1.0], [1.0, 2.0, 3.0, 2.0, 1.0, 1.5]]
    scales, denoiser = basin(pulls, AttractionBasin(early_scale=-1.0, latest=0.0))
    late = torch.tensor([[False, False], [False, False], [False, False], [True, False], [True, False],
                         [True, True]])  # fmt: skip
    torch.testing.assert_close(scales, torch.where(late, SCALE, -1.0))
    assert [step.acted for step in denoiser.trace] == (~late).tolist()
    alone, _ = basin(pulls[1:], AttractionBasin(early_scale=-1.0, latest=0.0))
    torch.testing.assert_close(alone[:, 0], scales[:, 1])


def test_basin_ends_at_its_latest_noise_level_or_there_alone() -> None:
    assert (basin([[3.0, 2.0]], AttractionBasin(latest=1.0))[0] == SCALE).all()
    scales, _ = basin([[5.0, 3.0, 2.0, 2.5]], AttractionBasin(dynamic=False, latest=0.5))
    assert (scales == 0).all()


@pytest.fixture(scope="module")
def model(tiny_model_folder) -> unheard.Model:  # type: ignore[no-untyped-def]
    return unheard.load(tiny_model_folder)


def adjustment(
    model: unheard.Model, target: float, prompts: list[str], updates: int = 4
) -> PromptAdjustmentDenoiser:
    times = ([0.0] * len(prompts), [1.0] * len(prompts))
    return PromptAdjustmentDenoiser(
        model.backbone.denoise, model.backbone.encode(prompts, *times),
        model.backbone.encode_unconditional([None] * len(prompts), *times),
        guidance_scale=SCALE, settings=PromptAdjustment(target=target, updates=updates),
    )  # fmt: skip


def test_a_prompt_is_moved_until_its_pull_is_below_the_target(model: unheard.Model) -> None:
    prompts = list(CAPTIONS[:2])
    x = 10 * torch.randn(2, *model.backbone.latent_shape, generator=torch.Generator().manual_seed(0))
    sigma = torch.full((2,), 10.0)
    untouched = adjustment(model, 1e9, prompts)
    plain = ClassifierFreeGuidance(
        model.backbone.denoise, untouched._conditional, untouched._unconditional, guidance_scale=SCALE
    )
    torch.testing.assert_close(untouched(x, sigma), plain(x, sigma))
    assert untouched.trace[0].acted == [False, False]
    pulls = untouched.trace[0].value
    assert pulls is not None

    # A target between the two leaves one alone; the other is moved, and its pull falls.
    low, high = np.argsort(pulls)
    between = adjustment(model, float(np.mean(pulls)), prompts)
    between(x, sigma)
    between(x, sigma)
    assert between.trace[0].value == pytest.approx(pulls)
    acted, later = between.trace[1].acted, between.trace[1].value
    assert acted is not None
    assert later is not None
    assert (acted[low], acted[high]) == (False, True)
    assert later[low] == pytest.approx(pulls[low], rel=1e-4)
    assert later[high] < pulls[high]

    # Every sample is optimised by itself.
    together = adjustment(model, 1e-9, prompts)
    result = together(x, sigma)
    alone = adjustment(model, 1e-9, prompts[1:])
    torch.testing.assert_close(alone(x[1:], sigma[1:]), result[1:], rtol=1e-3, atol=1e-3)


def test_pull_is_the_root_of_the_mean_square() -> None:
    one, other = torch.randn(2, 3, 4, 5)
    expected = [np.sqrt(np.mean((one[i] - other[i]).numpy() ** 2)) for i in range(3)]
    np.testing.assert_allclose(pull(one, other), expected, rtol=1e-5)


def test_log_volume_is_what_the_embedding_adds_to_the_gram_determinant() -> None:
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(5, 8, generator=generator, dtype=torch.float64)
    embedding, *items = torch.nn.functional.normalize(vectors, dim=1)
    items = torch.stack(items)

    def log_of(some: torch.Tensor) -> float:
        ridge = RIDGE * torch.eye(len(some), dtype=torch.float64)
        return 0.5 * float(torch.logdet(some @ some.T + ridge))

    expected = log_of(torch.cat([embedding[None], items])) - log_of(items)
    assert float(log_volume(embedding, items)) == pytest.approx(expected)
    blend = torch.nn.functional.normalize(items[0] + items[1], dim=0)
    assert log_volume(blend, items) < log_volume(embedding, items)
    assert log_volume(items[0], items.repeat(2, 1)).isfinite()  # the same item twice


def test_low_pass_keeps_slow_changes_and_takes_fast_ones() -> None:
    time = torch.arange(64) / 64
    slow, fast = torch.sin(2 * torch.pi * 3 * time), torch.sin(2 * torch.pi * 25 * time)
    torch.testing.assert_close(low_pass((slow + fast)[None], 0.25)[0], slow, atol=1e-5, rtol=0)
    torch.testing.assert_close(low_pass((slow + fast)[None], 1.0)[0], slow + fast, atol=1e-5, rtol=0)


def volumetric(settings: Volumetric, prompts: tuple[str, ...]) -> VolumetricDenoiser:
    return VolumetricDenoiser(
        WORLD.denoise, WORLD.conditioning(*prompts), WORLD.unconditional(len(prompts)),
        guidance_scale=SCALE, settings=settings, decode=WORLD.decode, embed=WORLD.embed, index=WORLD.index,
    )  # fmt: skip


def test_volumetric_is_dissimilarity_from_a_volume_and_acts_per_sample() -> None:
    prompts = ("prompt0", "prompt1")
    x = torch.randn(2, 2, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    sigma = torch.full((2,), 0.9, dtype=torch.float64)
    plain = ClassifierFreeGuidance(
        WORLD.denoise, WORLD.conditioning(*prompts), WORLD.unconditional(2), guidance_scale=SCALE
    )(x, sigma)
    settings = Volumetric(weight=0.01, neighbours=2, lambda_min=-2, lambda_max=-2, pass_band=1.0)
    shut = volumetric(replace(settings, lambda_min=2, lambda_max=2), prompts)
    torch.testing.assert_close(shut(x, sigma), plain)
    assert shut.trace[0].acted == [False, False]

    result = volumetric(settings, prompts)(x, sigma)
    for sample, prompt in enumerate(prompts):
        told = WORLD.conditioning(prompt)
        items = WORLD.index.vectors(
            WORLD.index.search(WORLD.embed(WORLD.decode(WORLD.denoise(x[[sample]], sigma[:1], told))), k=2)[
                1
            ][0]
        )

        def repulsion(source: torch.Tensor, told=told, items=items) -> torch.Tensor:  # type: ignore[no-untyped-def]
            return log_volume(WORLD.embed(WORLD.decode(WORLD.denoise(source, sigma[:1], told)))[0], items)

        gradient = torch.zeros_like(x[[sample]])
        for place in np.ndindex(*gradient.shape):  # by differences, without autograd
            shift = torch.zeros_like(gradient)
            shift[place] = 1e-6
            gradient[place] = (repulsion(x[[sample]] + shift) - repulsion(x[[sample]] - shift)) / 2e-6
        expected = plain[[sample]] + 0.01 * equations.dissimilarity_weight(sigma[:1], "denoised") * gradient
        torch.testing.assert_close(result[[sample]], expected, rtol=1e-4, atol=1e-7)
        torch.testing.assert_close(volumetric(settings, (prompt,))(x[[sample]], sigma[:1]), result[[sample]])
