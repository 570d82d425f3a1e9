"""bfloat16 for training, where the machine computes in it; elsewhere it is slower than float32, on a CPU
without AVX-512 tens of times.
"""

from __future__ import annotations

import torch


def mixed_precision(device: str) -> torch.autocast:
    """The context in which networks run on `device` (cpu, cuda, cuda:N)."""
    kind = device.split(":")[0]
    fast = kind != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.autocast(kind, dtype=torch.bfloat16, enabled=fast)
