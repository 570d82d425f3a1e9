"""What AMG decodes: the beginning is what the whole has there, and pieces give the whole's gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from unheard.errors import InputError
from unheard.guidance.amg import decoding
from unheard.guidance.amg.decoding import decoder_of
from unheard.guidance.amg.settings import AMG
from unheard.guidance.trajectory import Trajectory


@pytest.fixture
def trajectory(tiny_model: Any) -> Trajectory:
    """Half a second of two sounds."""
    backbone = tiny_model.backbone
    timing = [0.0] * 2, [0.5] * 2
    return Trajectory(
        backbone=backbone,
        load_embedder=lambda: tiny_model.embedder,
        latents_of=lambda path: torch.empty(0),
        prompts=["a", "b"],
        conditional=backbone.encode(["a", "b"], *timing),
        unconditional=backbone.encode_unconditional([None] * 2, *timing),
        guidance_scale=7.0,
        duration=0.5,
    )


@pytest.fixture
def latents(trajectory: Trajectory) -> Tensor:
    return torch.randn(2, *trajectory.backbone.latent_shape, generator=torch.Generator().manual_seed(0))


def gradient(decode: Callable[[Tensor], Tensor], latents: Tensor) -> Tensor:
    """Of the sound's energy, in the latents."""
    source = latents.clone().requires_grad_()
    (found,) = torch.autograd.grad(decode(source).square().sum(), source)
    return found


@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_window_is_the_beginning_of_the_whole_sound(
    trajectory: Trajectory, latents: Tensor, checkpoint: bool
) -> None:
    decode = decoder_of(AMG(window=0.1, checkpoint=checkpoint), trajectory)
    torch.testing.assert_close(decode(latents), trajectory.decode(latents)[..., :1600])
    assert gradient(decode, latents)[..., trajectory.frames :].abs().max() == 0


def test_a_window_of_the_sound_or_more_is_the_whole(trajectory: Trajectory, latents: Tensor) -> None:
    for window in (0.5, 3.0):
        assert torch.equal(decoder_of(AMG(window=window), trajectory)(latents), trajectory.decode(latents))


def test_pieces_give_the_gradient_of_the_whole(
    trajectory: Trajectory, latents: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths, backbone = [], trajectory.backbone

    def decode(some: Tensor) -> Tensor:
        lengths.append(some.shape[-1])
        return type(backbone).decode(backbone, some)

    monkeypatch.setattr(decoding, "PIECE", 0.1)
    monkeypatch.setattr(backbone, "decode", decode)
    found = gradient(decoder_of(AMG(checkpoint=True), trajectory), latents)
    monkeypatch.undo()
    torch.testing.assert_close(found, gradient(trajectory.decode, latents))
    # Four pieces of 4 frames with what the decoder sees on either side, each of them twice.
    assert len(lengths) == 8
    assert max(lengths) <= 4 + 2 * backbone.decoder_reach


class Global:
    """A model whose decoder hears the whole sound at once."""

    name, decoder_reach = "toy/global", None


@pytest.mark.parametrize("settings", [{"window": 0.1}, {"checkpoint": True}])
def test_a_decoder_that_hears_all_at_once_has_neither(
    trajectory: Trajectory, settings: dict[str, Any]
) -> None:
    whole: Any = Global()
    with pytest.raises(InputError, match="toy/global decodes a sound as a whole: leave out the window"):
        decoder_of(AMG(**settings), replace(trajectory, backbone=whole))
