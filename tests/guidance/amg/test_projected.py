"""AMG beside adaptive projected guidance, against steps that `lab.golden_projected_steps` recorded."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from toy_world import ToyWorld, golden

from unheard.diffusion.prompt_guidance import CLASSIFIER_FREE, AdaptiveProjection, PromptGuidance
from unheard.guidance.amg.denoiser import AMGDenoiser
from unheard.guidance.amg.settings import AMG

WORLD, RECORDED = ToyWorld(), golden("projected_steps.json")
PROMPTS = ("prompt0", "prompt1", "prompt2")


def walk(
    case: dict[str, Any], guidance: PromptGuidance, **changed: float
) -> tuple[AMGDenoiser, list[Tensor]]:
    """All steps of a case, one trajectory."""
    settings = {name: case[name] for name in ("c1", "c2", "c3", "lambda_min", "lambda_max")}
    denoiser = AMGDenoiser(
        WORLD.denoise,
        WORLD.conditioning(*PROMPTS),
        WORLD.unconditional(len(PROMPTS)),
        guidance_scale=RECORDED["guidance_scale"],
        settings=AMG(**{**settings, **changed}),
        decode=WORLD.decode,
        embed=WORLD.embed,
        index=WORLD.index,
        encode_neighbours=WORLD.encode_neighbours,
        prompt_guidance=guidance,
    )
    return denoiser, [denoiser(double(step["x"]), double([step["sigma"]] * 3)) for step in case["steps"]]


def double(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def projection(**changed: float) -> AdaptiveProjection:
    return AdaptiveProjection(-1, **{"norm": RECORDED["norm"], "momentum": RECORDED["momentum"], **changed})


def differs(case: dict[str, Any], guided: list[Tensor]) -> float:
    return max(
        float((ours - double(step["guided"])).abs().max())
        for ours, step in zip(guided, case["steps"], strict=True)
    )


@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda case: case["name"])
def test_guided_prediction_and_trace(case: dict[str, Any]) -> None:
    denoiser, guided = walk(case, projection())
    assert differs(case, guided) < 1e-9
    for step, told in zip(denoiser.trace, case["steps"], strict=True):
        assert (step.neighbour, step.acted) == (told["neighbour"], told["active"])
        for ours, theirs in ((step.value, "similarity"), (step.s1, "s1"), (step.s2, "s2")):
            assert ours == pytest.approx(told[theirs], abs=1e-9)


def test_the_steps_would_notice() -> None:
    """The bound and the momentum both matter in what was recorded, gates open and shut, scales clamp."""
    cases = {case["name"]: case for case in RECORDED["cases"]}
    shortened = [flag for case in RECORDED["cases"] for step in case["steps"] for flag in step["shortened"]]
    active = [flag for step in cases["published"]["steps"] for flag in step["active"]]
    assert {*shortened} == {*active} == {True, False}
    assert any(s1 == 6.0 for step in cases["all room taken"]["steps"] for s1 in step["s1"])
    for other in (projection(norm=1e9), projection(momentum=0.0), CLASSIFIER_FREE):
        assert differs(cases["closed"], walk(cases["closed"], other)[1]) > 0.01
    for name, term in (("despecification", "c1"), ("deduplication", "c2"), ("dissimilarity", "c3")):
        assert differs(cases[name], walk(cases[name], projection(), **{term: 0.0})[1]) > 0.01
