"""Settings: the published defaults, and one clear line for each value that cannot be used."""

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from unheard.diffusion.settings import Sampling
from unheard.errors import InputError
from unheard.guidance.amg.settings import AMG


def test_defaults_are_the_published_settings():
    assert AMG() == AMG(4.0, 3.0, 100.0, 0.7, 0.8, "denoised")
    assert Sampling() == Sampling("dpmpp_3m_sde", 100, 0.3, 500.0, 7.0)


def test_settings_cannot_be_changed_afterwards():
    with pytest.raises(FrozenInstanceError):
        AMG().c1 = 2.0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"c1": -1}, "c1 is -1"),
        ({"c2": -0.5}, "c2 is -0.5"),
        ({"c3": math.nan}, "c3 is nan"),
        ({"c3": "100"}, "c3 is '100'"),
        ({"lambda_min": 0.9}, r"lambda_min \(0.9\) is above lambda_max \(0.8\)"),
        ({"lambda_max": math.inf}, "lambda_max is inf"),
        ({"dissimilarity_space": "latent"}, "unknown dissimilarity_space 'latent'.*denoised, noise"),
    ],
)
def test_amg_refuses(values, message):
    with pytest.raises(InputError, match=message):
        AMG(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sampler": "ddim"}, "unknown sampler 'ddim'.*dpmpp_3m_sde"),
        ({"num_inference_steps": 0}, "num_inference_steps is 0"),
        ({"num_inference_steps": 2.5}, "num_inference_steps is 2.5"),
        ({"num_inference_steps": True}, "num_inference_steps is True"),
        ({"num_inference_steps": 10_001}, "num_inference_steps is 10001: .* at most 10,000"),
        ({"sigma_max": 1e39}, "sigma_max is 1e[+]39: .* at most 1e[+]08"),
        ({"sigma_min": 0}, "sigma_min is 0"),
        ({"sigma_max": 0.3}, r"sigma_max \(0.3\) is not above sigma_min \(0.3\)"),
        ({"sigma_max": math.nan}, "sigma_max is nan"),
        ({"guidance_scale": -1}, "guidance_scale is -1"),
    ],
)
def test_sampling_refuses(values, message):
    with pytest.raises(InputError, match=message):
        Sampling(**values)


def test_numbers_of_other_libraries_are_numbers():
    assert AMG(c1=np.float32(2)).c1 == 2
    assert Sampling(num_inference_steps=np.int64(5)).num_inference_steps == 5


def test_a_threshold_that_never_or_always_opens_is_allowed():
    AMG(lambda_min=2.0, lambda_max=2.0)
    AMG(lambda_min=-1.0, lambda_max=-1.0)
