"""bfloat16 for training, where the machine computes in it; elsewhere it is slower than float32, on a CPU
with AVX-512 alone four times, without it tens of times.
"""

from __future__ import annotations

import torch


def mixed_precision(device: str) -> torch.autocast:
    """The context in which networks run on `device` (cpu, cuda, cuda:N)."""
    kind = device.split(":")[0]
    fast = kind != "cpu" or _computes_in_bfloat16()
    return torch.autocast(kind, dtype=torch.bfloat16, enabled=fast)


def _computes_in_bfloat16() -> bool:
    """Whether the processor has instructions for it, such as `avx512_bf16`, and does not convert."""
    return any(has and name.endswith("bf16") for name, has in torch.cpu.get_capabilities().items())
