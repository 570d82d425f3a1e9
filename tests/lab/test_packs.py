"""Windows of a second by which the replay of a take is known."""

from __future__ import annotations

import pytest
import torch
from melodies import melody

from lab.packs import EVERY, likeness, windows


def sound(seed: int) -> torch.Tensor:
    return melody(seed)[0, :64_000]


def test_a_second_of_a_take_inside_another_sound_is_the_take() -> None:
    mixed = torch.cat([sound(1)[:16_000], sound(2)[20_000:44_000], sound(3)[:24_000]])
    takes = [windows(sound(seed), 1) for seed in (2, 4)]
    assert likeness(sound(2), takes) == pytest.approx(1.0, abs=1e-3)
    assert likeness(mixed, takes) > 0.95
    assert likeness(sound(1), takes) < 0.9


def test_quiet_windows_say_nothing() -> None:
    faint = torch.cat([sound(1)[:16_000], 1e-3 * sound(2)[:48_000]])
    assert 0 < len(windows(faint, EVERY)) < len(windows(sound(1), EVERY))
    assert likeness(faint, [windows(sound(2), 1)]) < 0.9
    assert likeness(sound(1), []) == 0.0
