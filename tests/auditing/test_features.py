"""What is computed of a sound before anything is compared."""

from __future__ import annotations

import torch
from melodies import RATE, melody

from unheard.auditing.features import BANDS, VIEWS, features


def test_features_of_gain_and_of_silence() -> None:
    sound = melody(1, 2.0)
    assert torch.allclose(features(sound, RATE), features(0.01 * sound, RATE), atol=2e-3)
    assert not features(torch.zeros(1, RATE), RATE).any()
    assert features(torch.zeros(1, 10), RATE).shape == (0, VIEWS, BANDS)
