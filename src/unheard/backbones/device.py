"""Which device and which number format a model runs in."""

from __future__ import annotations

import torch

from unheard.common.texts import plural
from unheard.errors import InputError

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def resolve_device(device: str | torch.device = "auto") -> torch.device:
    """The device of that name; `auto` takes CUDA where there is one, then MPS, then the CPU.

    Raises:
        InputError: a name other than auto, cpu, cuda (or cuda:N) and mps, or a device that is not there.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise InputError(f"unknown device {device!r}: choose auto, cpu, cuda or mps") from error
    if resolved.type not in ("cpu", "cuda", "mps"):
        raise InputError(f"device {device!r} is not supported: choose auto, cpu, cuda or mps")
    count = torch.cuda.device_count()
    if resolved.type == "cuda" and (resolved.index or 0) >= count:
        raise InputError(
            f"device {str(device)!r} was asked for, but PyTorch sees {plural(count, 'CUDA device')} here: "
            "use --device cpu, or install a CUDA build of PyTorch; `unheard doctor` says more"
        )
    if resolved.type == "mps" and not torch.backends.mps.is_available():
        raise InputError("device 'mps' was asked for, but PyTorch sees no Metal GPU here: use --device cpu")
    return resolved


def resolve_dtype(dtype: str | torch.dtype | None = None) -> torch.dtype:
    """The number format of that name; None is float32.

    float32 is the default on every device because the guidance differentiates through the model, and
    gradients of a similarity are small: in float16 part of them falls below the smallest number (6e-8).

    Raises:
        InputError: a format other than float32, float16 and bfloat16.
    """
    if dtype is None:
        return torch.float32
    if isinstance(dtype, str) and dtype in DTYPES:
        return DTYPES[dtype]
    if isinstance(dtype, torch.dtype) and dtype in DTYPES.values():
        return dtype
    raise InputError(f"unknown dtype {str(dtype)!r}: choose one of {', '.join(DTYPES)}")
