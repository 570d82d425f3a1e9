"""A compiled denoiser computes what it computes without, and records say that it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch

import unheard
from unheard.backbones.base import Backbone
from unheard.errors import InputError


def test_a_compiled_model_makes_the_sounds_of_the_model(tiny_model_folder: Path) -> None:
    model = unheard.load(tiny_model_folder)
    asked: dict[str, Any] = {"duration": 0.2, "num_inference_steps": 2, "guidance": None, "index": None}
    (plain,) = model.generate("a drum", **asked)
    # What it captures is the real graph; making machine code of it takes half a minute.
    model.backbone.compile(backend="eager")
    (compiled,) = model.generate("a drum", **asked)
    torch.testing.assert_close(compiled.waveform, plain.waveform)
    machines = [sound.provenance["machine"] for sound in (plain, compiled)]
    assert [machine.get("compiled") for machine in machines] == [None, True]


def test_a_gradient_goes_through_it(tiny_model_folder: Path) -> None:
    backbone = unheard.load_backbone(tiny_model_folder)
    conditioning = backbone.encode(["a drum"], [0.0], [0.2])
    gradients = []
    for compiled in (False, True):
        if compiled:
            backbone.compile(backend="eager")
        x = torch.ones(1, *backbone.latent_shape, requires_grad=True)
        backbone.denoise(x, torch.ones(1), conditioning).square().sum().backward()
        gradients.append(x.grad)
    torch.testing.assert_close(*gradients)


def test_a_result_outlives_the_next_call(tiny_model_folder: Path) -> None:
    def replaying(graph: torch.fx.GraphModule, _: list[torch.Tensor]) -> Callable[..., Any]:
        """As a CUDA graph does, writes its results into the same memory each time."""
        memory: list[torch.Tensor] = []

        def run(*inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
            results = graph(*inputs)
            memory.extend(torch.empty_like(result) for result in results[len(memory) :])
            return tuple(kept.copy_(result) for kept, result in zip(memory, results, strict=True))

        return run

    backbone = unheard.load_backbone(tiny_model_folder)
    conditioning = backbone.encode(["a drum"], [0.0], [0.2])
    asked: dict[str, Any] = {
        "timestep": torch.ones(1),
        "encoder_hidden_states": conditioning.cross_attention,
        "global_hidden_states": conditioning.global_states,
        "return_dict": False,
    }
    network = cast(Any, backbone).transformer
    inputs = torch.randn(2, 1, *backbone.latent_shape)
    with torch.no_grad():
        plain = [network(each, **asked)[0] for each in inputs]
        cast(Any, backbone).compile(backend=replaying)
        compiled = [network(each, **asked)[0] for each in inputs]
    torch.testing.assert_close(compiled, plain)


def test_a_model_that_cannot_be_compiled_says_so() -> None:
    class Other(Backbone):
        name = "toy/other"

    with pytest.raises(InputError, match="toy/other cannot be compiled: leave out compile"):
        cast(Any, Other)().compile()
