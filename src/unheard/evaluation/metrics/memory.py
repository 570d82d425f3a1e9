"""Peak memory: the most that was held while something ran.

Conventions: bytes. On a CUDA device what torch's allocator had given out there, the model's weights included;
elsewhere the resident set of the process, whose high-water mark only Linux lets one reset (proc(5),
`/proc/self/clear_refs`). Where it cannot be measured it is None.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch

PROCESS = Path("/proc/self")


def reset_peak(device: torch.device) -> bool:
    """Begin anew; whether the peak from here on can be measured."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return True
    try:
        (PROCESS / "clear_refs").write_text("5")
    except OSError:
        return False
    return True


def peak(device: torch.device) -> int | None:
    """The peak since `reset_peak`, in bytes."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        found = re.search(r"VmHWM:\s*(\d+) kB", (PROCESS / "status").read_text())
    except OSError:
        return None
    return None if found is None else int(found[1]) * 1024
