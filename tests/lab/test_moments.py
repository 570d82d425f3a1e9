"""Training the network of moments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from lab.moments import losses, material, train
from unheard.auditing import moment_network


def test_relatives_are_judged_at_every_lag() -> None:
    """The skewed matrix has the diagonals as columns, filled up with what counts as nothing."""
    table = torch.randn(2, 5, 5, generator=torch.Generator().manual_seed(0))
    skewed = losses.by_lag(table)
    assert skewed.shape == (2, 5, 9)
    for lag in range(-4, 5):
        for number in range(2):
            column = skewed[number, :, lag + 4]
            assert sorted(column[column != losses.FAINTEST].tolist()) == sorted(
                table[number].diagonal(lag).tolist()
            )


def test_two_steps_of_training(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames, versions = rng.integers(60, 140, 24), np.full(24, 3)
    made = material.Material(
        below=rng.integers(0, 60, (int((frames * versions).sum()), 40)).astype(np.uint8),
        first=np.concatenate([[0], np.cumsum(frames * versions)[:-1]]),
        frames=frames,
        versions=versions,
        family=np.arange(24) // 3,
        piece=np.arange(24),
        real=np.arange(24) < 12,
        alike=np.array([[0], [1]]),
    )
    made.save(tmp_path / "material.npz")
    again = material.load(tmp_path / "material.npz")
    trained = train.train(again, tmp_path / "checkpoints", "cpu", steps=2, groups=2, width=8)
    assert all(weights.isfinite().all() for weights in trained.parameters())
    train.save(trained, tmp_path / "weights.safetensors")
    kept = moment_network.load(tmp_path / "weights.safetensors")
    torch.testing.assert_close(kept.first.weight, trained.first.weight, atol=1e-3, rtol=1e-3)
