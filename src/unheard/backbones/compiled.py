"""A network as machine code of `torch.compile`; on CUDA the host launches all of it at once.

In half precision a GPU is faster with a kernel than the host with the launch of the next. A CUDA graph
(torch's mode "reduce-overhead") holds all launches of a call, and replays them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

Forward = Callable[..., Any]


class CompiledForward:
    """A network's `forward`, compiled for each shape of its inputs when that first comes.

    A CUDA graph is replayed where no gradient is asked for. It writes each result over the last one, so the
    results are copied. With gradient there are kernels of their own, launched one by one: what a graph keeps
    for the way back, another call in between would overwrite.

    Args:
        forward: of a network whose weights are held fixed.
        backend: of `torch.compile`; only its own, "inductor", makes graphs.
        device: where the network is.
    """

    def __init__(self, forward: Forward, backend: str | Forward, device: torch.device) -> None:
        compiled = partial(torch.compile, forward, backend=backend, dynamic=False)
        self._with_gradient: Forward = compiled()
        replays = device.type == "cuda" and backend == "inductor"
        self._without: Forward = compiled(mode="reduce-overhead") if replays else self._with_gradient

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        if torch.is_grad_enabled():
            return self._with_gradient(*inputs, **options)
        return tree_map_only(Tensor, torch.clone, self._without(*inputs, **options))
