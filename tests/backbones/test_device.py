"""Devices and number formats by name."""

from __future__ import annotations

import pytest
import torch

from unheard.backbones import load_backbone, resolve_device, resolve_dtype
from unheard.errors import InputError

CPU = torch.device("cpu")


def test_devices_and_dtypes_by_name() -> None:
    assert resolve_device("cpu") == CPU
    assert resolve_device("auto").type in ("cpu", "cuda", "mps")
    assert resolve_dtype(None) is resolve_dtype("float32") is torch.float32
    assert resolve_dtype(torch.bfloat16) is torch.bfloat16
    with pytest.raises(InputError, match="unknown device 'gpu': choose auto, cpu, cuda or mps"):
        resolve_device("gpu")
    with pytest.raises(InputError, match="'meta' is not supported"):
        resolve_device("meta")
    for wrong in ("int8", "float64", torch.float64):
        with pytest.raises(InputError, match=r"unknown dtype .*: choose one of float32, float16, bfloat16"):
            resolve_dtype(wrong)  # type: ignore[arg-type]


def test_a_cuda_device_that_is_not_there_is_said_so() -> None:
    with pytest.raises(InputError, match=r"device 'cuda:99' was asked for, but PyTorch sees .* CUDA devices"):
        load_backbone("no-model-is-looked-for", device="cuda:99")
