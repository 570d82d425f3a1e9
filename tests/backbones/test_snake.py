"""Snake as guidance differentiates through it, against diffusers', in passes and in Triton's kernels.

The kernels run on CUDA, and with `TRITON_INTERPRET=1` in the environment on any machine that has Triton.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_oobleck import Snake1d
from torch import Tensor

from unheard.backbones.stable_audio import snake

CUDA = torch.cuda.is_available()
INTERPRETED = not CUDA and os.environ.get("TRITON_INTERPRET") == "1"
KERNELS_RUN = importlib.util.find_spec("triton") is not None and (CUDA or INTERPRETED)


@pytest.fixture(
    params=[
        "passes",
        pytest.param(
            "kernels", marks=pytest.mark.skipif(not KERNELS_RUN, reason="needs Triton and a CUDA device")
        ),
    ]
)
def device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[torch.device]:
    """Where Snake then runs, by the way that the parameter names."""
    if request.param == "kernels" and INTERPRETED:
        from unheard.backbones.stable_audio import snake_kernels

        monkeypatch.setattr(snake, "kernels", lambda _: snake_kernels)
    elif request.param == "passes":
        monkeypatch.setattr(snake, "kernels", lambda _: None)
    return torch.device("cuda" if CUDA else "cpu")


def activation(channels: int, device: torch.device, logscale: bool = True) -> Snake1d:
    module = Snake1d(channels, logscale=logscale).to(device).requires_grad_(False)
    for parameter in module.parameters():
        parameter += 0.3 * torch.randn_like(parameter) + (0 if logscale else 1)
    return module


def gradient_of(function: object, x: Tensor, pull: Tensor) -> Tensor:
    source = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(function(source), source, pull)  # type: ignore[operator]
    return gradient


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 1000), (3, 5, 1024), (1, 2, 2051)], ids=str)
@pytest.mark.parametrize("logscale", [True, False], ids=["logscale", "linear"])
def test_it_is_diffusers_activation_to_1e_5(
    shape: tuple[int, ...], logscale: bool, device: torch.device
) -> None:
    torch.manual_seed(0)
    module, x = activation(shape[1], device, logscale), 3 * torch.randn(shape, device=device)
    ours, pull = snake.Snake(module), torch.randn(shape, device=device)
    torch.testing.assert_close(ours(x), module(x), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gradient_of(ours, x, pull), gradient_of(module, x, pull), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_in_half_precision_it_is_as_near_as_rounding_allows(dtype: torch.dtype, device: torch.device) -> None:
    torch.manual_seed(0)
    module, x = activation(4, device), torch.randn(2, 4, 1500, device=device).to(dtype)
    pull = torch.randn_like(x)
    exact = module.double()(x.double())
    half = snake.Snake(module.to(dtype))
    off = 32 * torch.finfo(dtype).eps
    torch.testing.assert_close(half(x).double(), exact, rtol=off, atol=off)
    assert half(x).dtype == gradient_of(half, x, pull).dtype == dtype
    torch.testing.assert_close(
        gradient_of(half, x, pull).double(),
        gradient_of(module.double(), x.double(), pull.double()),
        rtol=off,
        atol=off,
    )


def test_what_does_not_lie_in_one_piece_is_read_right(device: torch.device) -> None:
    torch.manual_seed(0)
    module, x = activation(5, device), torch.randn(2, 300, 5, device=device).transpose(1, 2)
    pull = torch.randn(2, 300, 5, device=device).transpose(1, 2)
    ours = snake.Snake(module)
    torch.testing.assert_close(ours(x), module(x), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gradient_of(ours, x, pull), gradient_of(module, x, pull), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("goes_on", ["both", "the activation alone"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_a_sum_is_carried_out_on_the_way(goes_on: str, dtype: torch.dtype, device: torch.device) -> None:
    torch.manual_seed(0)
    module, shape = activation(3, device).to(dtype), (2, 3, 1500)
    addends = [torch.randn(shape, device=device).to(dtype) for _ in range(2)]
    weights = [torch.randn(shape, device=device).to(dtype) for _ in range(2)]

    found, expected = [], []
    for ours, kept in ((True, found), (False, expected)):
        sources = [each.clone().requires_grad_() for each in addends]
        # A copy, since what is computed in place can be no leaf.
        first = sources[0] * 1
        if ours:
            total, activated = snake.Snake(module).of_sum(first, sources[1])
        else:
            total = first + sources[1]
            activated = module(total)
        left = (weights[0] * activated).sum()
        if goes_on == "both":
            left = left + (weights[1] * total).sum()
        kept += [total.detach(), activated.detach(), *torch.autograd.grad(left, sources)]
    off = 1e-5 if dtype == torch.float32 else 32 * torch.finfo(dtype).eps
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=off, atol=off)


def test_its_gradient_equals_finite_differences() -> None:
    ours = snake.Snake(activation(3, torch.device("cpu")).double())
    assert torch.autograd.gradcheck(ours, torch.randn(1, 3, 4, dtype=torch.float64, requires_grad=True))


def test_a_cpu_runs_the_passes_and_never_asks_for_triton() -> None:
    assert snake.kernels(torch.device("cpu")) is None


def test_a_device_on_which_triton_fails_falls_back_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_device(*_: object, **__: object) -> Tensor:
        raise RuntimeError("no device")

    monkeypatch.setattr(torch, "ones", no_device)
    # Uncached; an index that no test's device has. Without Triton its import is what fails.
    assert snake.kernels.__wrapped__(torch.device("cuda", 99)) is None
    assert "not fused" in caplog.text
