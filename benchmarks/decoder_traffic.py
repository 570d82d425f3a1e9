"""What decoding moves through memory at the size of Stable Audio Open, counted: no weights, no time.

    python benchmarks/decoder_traffic.py --duration 10

Every operation reads the tensors that it is given and writes those that it makes; views move nothing, and no
cache is thought of. "Fused" counts an activation as its Triton kernel has it: each value is read once and
written once. A CUDA device is not needed, since nothing is computed (PyTorch's meta device).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import torch
from full_size import full_size_backbone
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from unheard.backbones.stable_audio import snake


class Traffic(TorchDispatchMode):
    """Counts bytes that operations read and write, by whether they are convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = {"convolutions": 0, "all else": 0}

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), keywords: Any = None) -> Any:
        result = function(*arguments, **(keywords or {}))
        if not function.is_view and "empty" not in str(function) and "detach" not in str(function):
            self.count(str(function), *tree_leaves((arguments, keywords)), *tree_leaves(result))
        return result

    def count(self, name: str, *tensors: Any) -> None:
        kind = "convolutions" if "convolution" in name else "all else"
        self.bytes[kind] += sum(
            each.numel() * each.element_size() for each in tensors if isinstance(each, Tensor)
        )


class Fused:
    """Stands for the kernels: what they read and write is counted, and nothing is computed."""

    def __init__(self, traffic: Traffic) -> None:
        self.traffic = traffic

    def forward(self, x: Tensor, *_: Tensor) -> Tensor:
        return self._told(x)

    def backward(self, gradient: Tensor, x: Tensor, *_: Tensor) -> Tensor:
        return self._told(gradient, x)

    def forward_of_sum(self, hidden: Tensor, bypass: Tensor, *_: Tensor) -> tuple[Tensor, Tensor]:
        total, activated = torch.empty_like(hidden), torch.empty_like(hidden)
        self.traffic.count("snake", hidden, bypass, total, activated)
        return total, activated

    def backward_of_sum(self, of_total: Tensor, of_activated: Tensor, total: Tensor, *_: Tensor) -> Tensor:
        return self._told(total, of_total, of_activated)

    def _told(self, *inputs: Tensor) -> Tensor:
        out = torch.empty_like(inputs[0])
        self.traffic.count("snake", *inputs, out)
        return out


@contextmanager
def fused(traffic: Traffic) -> Any:
    kernels, snake.kernels = snake.kernels, lambda _: Fused(traffic)
    try:
        yield
    finally:
        snake.kernels = kernels


def gigabytes(
    decode: Callable[[Tensor], Tensor], latents: Tensor, gradient: bool, *, kernels: bool
) -> dict[str, float]:
    """Moved by one decoding, and by its gradient in the latents if asked for."""
    with Traffic() as traffic, fused(traffic) if kernels else torch.enable_grad():
        x = latents.clone().requires_grad_(gradient)
        traffic.bytes = dict.fromkeys(traffic.bytes, 0)
        with torch.set_grad_enabled(gradient):
            sound = decode(x)
        if gradient:
            torch.autograd.grad(sound, x, torch.empty_like(sound))
    return {kind: moved / 2**30 for kind, moved in traffic.bytes.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--duration", type=float, default=10.0, help="seconds of sound")
    arguments = parser.parse_args()
    backbone = full_size_backbone()
    backbone.vae.requires_grad_(False)
    latents = torch.empty(1, backbone.latent_shape[0], backbone.frames(arguments.duration), device="meta")

    def library(x: Tensor) -> Tensor:
        return backbone.vae.decode(x).sample

    print(f"{arguments.duration:g} s in float32, GiB moved\n")
    print("| | decoder | convolutions | all else | together | to diffusers' |\n|---|---|--:|--:|--:|--:|")
    for gradient in (False, True):
        whole: float | None = None
        for name, decode, kernels in (
            ("diffusers'", library, False),
            ("ours, in passes", backbone.decode, False),
            ("ours, fused", backbone.decode, True),
        ):
            moved = gigabytes(decode, latents, gradient, kernels=kernels)
            together = sum(moved.values())
            whole = whole or together
            print(
                f"| {'with its gradient' if gradient else 'decoding'} | {name} | {moved['convolutions']:.1f} "
                f"| {moved['all else']:.1f} | {together:.1f} | {together / whole:.2f} |"
            )


if __name__ == "__main__":
    main()
