"""What to lower when the memory of a device does not suffice, said in one line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from unheard.common.memory import is_exhausted
from unheard.errors import OutOfMemoryError
from unheard.generation.request import Request

PRECISION = "the precision (--dtype bfloat16 or float16)"


@contextmanager
def explaining_out_of_memory(to_lower: Sequence[str], otherwise: str = "") -> Iterator[None]:
    """Turn what any allocator raises in the block into one error.

    Raises:
        OutOfMemoryError: the message names what to lower.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
        if not isinstance(error, torch.OutOfMemoryError) and not is_exhausted(error):
            raise
        raise OutOfMemoryError(
            f"out of memory: lower {', or '.join(to_lower)} {otherwise}".rstrip()
        ) from error


def memory_hogs(request: Request, batch: int) -> list[str]:
    """What a generation needs memory for, as things to lower, the cheapest to give up first."""
    hogs = [f"--batch (now {batch})"] if batch > 1 else []
    hogs += [f"--duration (now {request.duration:g} s)", PRECISION]
    if request.guidance is not None and request.guidance.saves_memory is not None:
        hogs.append(request.guidance.saves_memory)
    return hogs
