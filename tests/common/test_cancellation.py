"""Channels that cancel are told block by block as of the whole; of any other sound the mean is taken."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unheard import audio
from unheard.common.cancellation import STRETCH, ChannelPowers


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


LENGTH = 5 * STRETCH
ORDINARY: dict[str, Callable[[], torch.Tensor]] = {
    "one channel": lambda: noise(1, LENGTH),
    "in phase": lambda: noise(1, LENGTH).repeat(2, 1),
    "unrelated": lambda: noise(2, LENGTH),
    "sixteen unrelated": lambda: noise(16, LENGTH),
    "one side only": lambda: torch.cat([noise(1, LENGTH), torch.zeros(1, LENGTH)]),
    "one of sixteen": lambda: torch.cat([noise(1, LENGTH), torch.zeros(15, LENGTH)]),
    "half out of phase": lambda: torch.cat([noise(1, LENGTH), -0.5 * noise(1, LENGTH)]),
    "silent": lambda: torch.zeros(2, LENGTH),
    "empty": lambda: torch.zeros(2, 0),
}


def antiphase(level: float = 1.0) -> torch.Tensor:
    return torch.cat([noise(1, LENGTH), -level * noise(1, LENGTH)])


def half_antiphase() -> torch.Tensor:
    sound = noise(1, LENGTH).repeat(2, 1)
    sound[1, 2 * STRETCH :] *= -1
    return sound


@pytest.mark.parametrize("kind", ORDINARY)
def test_of_an_ordinary_sound_it_is_the_mean_to_the_last_bit(kind: str) -> None:
    sound = ORDINARY[kind]()
    assert torch.equal(audio.to_mono(sound), sound.mean(dim=0))


@pytest.mark.parametrize("sound", [antiphase(), antiphase(0.95), half_antiphase()])
def test_where_channels_cancel_it_is_the_loudest(sound: torch.Tensor) -> None:
    loudest = sound[sound.square().sum(dim=1).argmax()]
    assert torch.equal(audio.to_mono(sound), loudest)


def test_each_sound_of_a_batch_by_itself_and_differentiable() -> None:
    batch = torch.stack([antiphase(), noise(2, LENGTH)]).requires_grad_()
    mono = audio.to_mono(batch)
    assert torch.equal(mono[0], batch[0, 0])
    assert torch.equal(mono[1], batch[1].mean(dim=0))
    mono.sum().backward()
    assert batch.grad is not None
    assert batch.grad[:, :, 0].tolist() == [[1.0, 0.0], [0.5, 0.5]]


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(["antiphase", "half", "unrelated", "in phase"]),
    blocks=st.lists(st.integers(1, 3 * STRETCH), min_size=1, max_size=20),
)
def test_block_by_block_as_of_the_whole(kind: str, blocks: list[int]) -> None:
    sound = {
        "antiphase": antiphase, "half": half_antiphase, "unrelated": ORDINARY["unrelated"],
        "in phase": ORDINARY["in phase"],
    }[kind]()  # fmt: skip
    samples = sound.T.numpy()
    powers, position = ChannelPowers(2), 0
    for length in [*blocks, LENGTH]:
        block = samples[position : position + length]
        powers.add(block, block.mean(axis=1))
        position += len(block)
    loudest = powers.loudest_instead()
    expected = sound.mean(dim=0) if loudest is None else sound[loudest]
    assert torch.equal(audio.to_mono(sound), expected)
    assert np.isfinite(samples).all()
