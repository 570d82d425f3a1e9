"""The three worlds: what is planted, and the flow's autoencoder beside the bundled one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderOobleck

from lab.memorised import MEMORISED
from lab.objectives import DISCRETE, Objective, noise_prediction, rectified_flow, v_prediction
from lab.planted.captions import planted as planted_before
from lab.worlds import flow
from lab.worlds.captions import planted
from unheard.backbones.discrete_times import DiscreteTimes
from unheard.diffusion.parameterisation import Parameterisation, Velocity, VPrediction

TINY = Path("src/unheard/assets/tiny")

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")


def test_what_is_planted_is_new_and_as_much_as_in_the_second_world() -> None:
    before = {each.caption for each in planted_before()} | {each.caption for each in MEMORISED}
    assert len({each.caption for each in planted()} - before) == 88
    ours, theirs = (
        [(each.repetitions, each.takes, each.prose) for each in some]
        for some in (planted(), planted_before())
    )
    assert sorted(ours) == sorted(theirs)


def test_the_flows_autoencoder_computes_what_the_bundled_one_does() -> None:
    bundled = AutoencoderOobleck.from_pretrained(TINY / "vae", torch_dtype=torch.float32).eval()
    ours = flow.autoencoder(bundled)
    sound = torch.randn(1, 1, 8 * flow.HOP, generator=torch.Generator().manual_seed(0)) * 0.1
    with torch.no_grad():
        theirs = bundled.encode(sound).latent_dist.mean
        latents = ours.encode(sound).latent_dist.mean
        assert latents.shape == (1, flow.CHANNELS, 8)
        torch.testing.assert_close(latents, flow.latents_of(theirs), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(
            ours.decode(latents).sample, bundled.decode(theirs).sample, rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize(
    ("objective", "way"),
    [
        (v_prediction, VPrediction()),
        (rectified_flow, Velocity()),
        (noise_prediction, None),
    ],
)
def test_what_is_learned_means_what_the_package_means(
    objective: Objective, way: Parameterisation | None
) -> None:
    way = DiscreteTimes(DISCRETE, "a model").parameterisation if way is None else way
    drawn = torch.Generator().manual_seed(0)
    sound, noise = torch.randn(2, 3, 4, 5, generator=drawn)
    task = objective(sound, torch.tensor([0.2, 0.5, 0.9]), noise)
    x, sigma = way.canonical(task.z, task.times)
    torch.testing.assert_close(x, sound + sigma[:, None, None] * noise, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(way.denoised(x, sigma, task.target), sound, rtol=1e-3, atol=1e-3)
