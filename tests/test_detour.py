"""The detour's gate, and what it does when it opens; on the toy maps."""

from __future__ import annotations

import torch
from toy_world import ToyWorld

from unheard.guidance import ClassifierFreeGuidance, DetourDenoiser
from unheard.guidance.detour import correlation
from unheard.settings import Detour

WORLD = ToyWorld()
PROMPTS = ("prompt0", "prompt1")


def detour(threshold: float, prompts: tuple[str, ...], recordings: dict[str, torch.Tensor]) -> DetourDenoiser:
    return DetourDenoiser(
        WORLD.denoise,
        WORLD.conditioning(*prompts),
        WORLD.unconditional(len(prompts)),
        guidance_scale=3.0,
        settings=Detour(threshold=threshold),
        frames=WORLD.trim,
        find=lambda _: [([0], [recordings[prompt]]) for prompt in prompts],
        ways=[[1] for _ in prompts],
        encode_neighbours=WORLD.encode_neighbours,
    )


def test_a_shifted_recording_correlates_and_another_does_not() -> None:
    generator = torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 8, 40, generator=generator)
    longer = torch.cat([torch.zeros(8, 7), one], dim=1)
    assert correlation(one, one) > 0.999
    assert correlation(one, longer) > 0.95
    assert correlation(one, other) < 0.4


def test_it_leaves_for_good_only_what_copies_and_a_batch_is_each_alone() -> None:
    x = torch.randn(2, 2, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    sigma = torch.full((2,), 0.9, dtype=torch.float64)
    prediction = WORLD.denoise(x, sigma, WORLD.conditioning(*PROMPTS))[..., : WORLD.trim]
    recordings = {"prompt0": prediction[0], "prompt1": -prediction[1].flip(-1)}
    together = detour(0.999, PROMPTS, recordings)
    result = together(x, sigma)
    plain = ClassifierFreeGuidance(
        WORLD.denoise, WORLD.conditioning("train1", "prompt1"), WORLD.unconditional(2), guidance_scale=3.0
    )
    assert together.trace[0].acted == [True, False]
    assert torch.allclose(result, plain(x, sigma))
    assert torch.allclose(together(x, sigma / 2), plain(x, sigma / 2))  # it does not come back
    for sample, prompt in enumerate(PROMPTS):
        alone = detour(0.999, (prompt,), recordings)
        assert torch.allclose(alone(x[[sample]], sigma[:1]), result[[sample]])
