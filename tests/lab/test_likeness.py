"""How likeness is measured."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lab import likeness


def correlation_by_loops(query: np.ndarray, reference: np.ndarray, reach: int) -> float:
    """`[bands, frames]` each: every shift on its own, frame by frame."""
    a = query - query.mean(axis=1, keepdims=True)
    b = reference - reference.mean(axis=1, keepdims=True)
    frames, highest = a.shape[1], -np.inf
    for shift in range(-reach, reach + 1):
        total = 0.0
        for frame in range(frames):
            if 0 <= frame + shift < frames:
                total += float(a[:, frame + shift] @ b[:, frame])
        highest = max(highest, total)
    return highest / float(np.linalg.norm(a) * np.linalg.norm(b))


@pytest.mark.parametrize("reach", [0, 3, 11])
def test_likeness_is_the_highest_correlation_over_shifts(reach: int) -> None:
    rng = np.random.default_rng(reach)
    queries, references = rng.random((3, 5, 12)), rng.random((9, 5, 12))
    expected = [[correlation_by_loops(q, r, reach) for r in references] for q in queries]
    max_shift = reach * likeness.HOP / likeness.SAMPLE_RATE
    found = likeness.correlations(torch.from_numpy(queries), torch.from_numpy(references), max_shift)
    np.testing.assert_allclose(found, expected, atol=1e-9)


@given(shift=st.integers(-20, 20), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_a_shifted_copy_is_wholly_alike(shift: int, seed: int) -> None:
    """With a mean of zero in every band, so that the shift moves no silence in or out."""
    event = torch.randn(6, 10, generator=torch.Generator().manual_seed(seed))
    here, there = torch.zeros(2, 1, 6, 50).unbind()
    here[0, :, 20:30] = there[0, :, 20 + shift : 30 + shift] = event - event.mean(dim=1, keepdim=True)
    assert likeness.correlations(here, there)[0, 0] == pytest.approx(1.0, abs=1e-5)


def test_level_and_delay_do_not_count() -> None:
    generator = torch.Generator().manual_seed(0)
    burst = torch.randn(2, 4_096, generator=generator) * torch.linspace(1, 0, 4_096)
    sounds = torch.zeros(3, 32_768)
    sounds[0, 8_192:12_288] = burst[0]
    sounds[1, 12_288:16_384] = 0.1 * burst[0]  # 16 hops later
    sounds[2, 8_192:12_288] = torch.sin(torch.arange(4_096) * 0.3)
    alike = likeness.correlations(likeness.log_mel(sounds[:1]), likeness.log_mel(sounds))[0]
    assert alike[0] == pytest.approx(1.0, abs=1e-5)
    assert alike[1] > 0.95
    assert alike[2] < 0.7
