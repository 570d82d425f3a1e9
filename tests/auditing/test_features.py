"""What is computed of a sound before anything is compared."""

from __future__ import annotations

import pytest
import torch
from melodies import RATE, melody

from unheard.auditing import fingerprint, landmarks, spectrogram
from unheard.auditing.features import BANDS, VIEWS, Signal
from unheard.auditing.likeness import tune


def test_features_of_gain_and_of_silence() -> None:
    sound = melody(1, 2.0)
    assert torch.allclose(Signal(sound, RATE).features, Signal(0.01 * sound, RATE).features, atol=2e-3)
    assert not Signal(torch.zeros(1, RATE), RATE).features.any()
    assert Signal(torch.zeros(1, 10), RATE).features.shape == (0, VIEWS, BANDS)


def test_a_long_sound_is_looked_at_in_pieces_and_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory grows with what is kept of a sound, not with its spectrogram."""

    def everything(signal: Signal) -> list[torch.Tensor]:
        prints = fingerprint.fingerprints(signal.features)
        return [signal.features, prints, landmarks.peaks(signal.mono), tune.Tune().features(signal)]

    sound = melody(1, 9.3)
    at_once = everything(Signal(sound, RATE))
    for place, name, size in (
        (spectrogram, "COLUMNS", 100), (landmarks, "COLUMNS", 100), (tune, "COLUMNS", 100),
        (fingerprint, "WINDOWS", 3),
    ):  # fmt: skip
        monkeypatch.setattr(place, name, size)
    for whole, pieces in zip(at_once, everything(Signal(sound, RATE)), strict=True):
        assert whole.shape == pieces.shape
        torch.testing.assert_close(pieces, whole, atol=1e-4, rtol=0)


def test_what_is_made_of_a_signal_is_made_once_for_each_function() -> None:
    signal = Signal(torch.ones(2, 1000), 22_050)
    asked: list[str] = []

    def twice(some: Signal) -> torch.Tensor:
        asked.append("twice")
        return 2 * some.mono

    def opposite(some: Signal) -> torch.Tensor:
        return -some.mono

    for _ in range(2):
        torch.testing.assert_close(signal.once(twice), 2 * signal.mono)
        torch.testing.assert_close(signal.once(opposite), -signal.mono)
    assert asked == ["twice"]
