"""How hard a prompt pulls the first steps of a trajectory."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch

import unheard
from unheard.diffusion.settings import Sampling
from unheard.errors import InputError
from unheard.generation.model import Model
from unheard.guidance.prompt_pull import prompt_pull


@pytest.fixture(scope="module")
def real(tiny_model_folder: Path) -> Model:
    return unheard.load(tiny_model_folder)


def test_risk_by_hand(real: Model) -> None:
    """Wen et al.'s measure, told once more with Euler, one start after the other."""
    sampling = Sampling("euler", num_inference_steps=5, sigma_min=0.3, sigma_max=100, guidance_scale=2.5)
    prompts, seeds = ["A bell", "A fast rock drum loop, 120 bpm"], [3, 8]
    found = prompt_pull(real.backbone, prompts, sampling=sampling, duration=0.8, seeds=seeds, steps=3)
    sigmas = [100 * (0.3 / 100) ** (step / 4) for step in range(4)]
    for prompt, risk in zip(prompts, found, strict=True):
        norms = torch.zeros(2, 3)
        for row, seed in enumerate(seeds):
            x = (
                100
                * torch.randn(real.backbone.latent_shape, generator=torch.Generator().manual_seed(seed))[None]
            )
            conditional = real.backbone.encode([prompt], [0.0], [0.8])
            unconditional = real.backbone.encode_unconditional([None], [0.0], [0.8])
            for step, (sigma, lower) in enumerate(pairwise(sigmas)):
                level = torch.tensor([sigma])
                with torch.no_grad():
                    with_prompt = real.backbone.denoise(x, level, conditional)
                    without = real.backbone.denoise(x, level, unconditional)
                # Predicted noise is (x - denoised) / sigma.
                norms[row, step] = ((x - with_prompt) / sigma - (x - without) / sigma).norm()
                denoised = without + 2.5 * (with_prompt - without)
                x = denoised + lower / sigma * (x - denoised)
        assert risk.prompt == prompt
        torch.testing.assert_close(torch.tensor(risk.steps), norms.mean(dim=0), rtol=2e-3, atol=1e-5)
        assert risk.pull == pytest.approx(float(norms.mean()), rel=2e-3)


def test_a_prompt_that_says_nothing_bears_no_risk(real: Model) -> None:
    """With the guidance scale at any value: no difference, no risk."""

    class Deaf:
        def __getattr__(self, name: str) -> object:
            return getattr(real.backbone, name)

        def encode_both(self, _: object, nothing: list[None], *timing: object) -> tuple[object, object]:
            conditioning = real.backbone.encode_unconditional(nothing, *timing)  # type: ignore[arg-type]
            return conditioning, conditioning

    (risk,) = prompt_pull(Deaf(), ["A bell"], sampling=real.defaults.sampling, duration=1.0)  # type: ignore[arg-type]
    assert risk.pull == pytest.approx(0, abs=1e-5)


def test_risk_needs_a_seed_and_a_step(real: Model) -> None:
    for options in ({"seeds": ()}, {"steps": 0}):
        with pytest.raises(InputError, match="needs a seed and a step"):
            prompt_pull(real.backbone, ["A bell"], sampling=Sampling(), duration=1.0, **options)  # type: ignore[arg-type]
