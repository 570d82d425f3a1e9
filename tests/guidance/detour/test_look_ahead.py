"""What would become of a sound."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from unheard.diffusion.prediction import per_sample
from unheard.diffusion.settings import PURE_NOISE
from unheard.guidance.detour.look_ahead import STEPS, foreseen


@pytest.mark.parametrize("sigma", [PURE_NOISE, 80.0, 3.0, 0.2, 0.05])
def test_a_normal_sound_is_foreseen_where_the_exact_flow_ends(sigma: float) -> None:
    """Of normal data of spread s the flow keeps `x / sqrt(s^2 + sigma^2)`."""
    spread = 0.8
    x = torch.randn(2, 3, 40, generator=torch.Generator().manual_seed(0)) * (spread**2 + sigma**2) ** 0.5

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        return x * per_sample(spread**2 / (spread**2 + sigma**2), x)

    expected = x * spread / (spread**2 + sigma**2) ** 0.5
    torch.testing.assert_close(foreseen(denoise, x, sigma), expected, rtol=0.12, atol=1e-3)


def test_it_takes_as_many_predictions_as_it_says() -> None:
    asked: list[float] = []

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        asked.append(float(sigma[0]))
        return x

    foreseen(denoise, torch.ones(1, 2, 4), 5.0)
    assert len(asked) == STEPS
    assert asked[0] == pytest.approx(5.0)
    assert asked == sorted(asked, reverse=True)
