"""The best path through two sounds, and what is asked of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from melodies import RATE, melody

from unheard.auditing import Auditor, alignment
from unheard.auditing.features import PERIOD, Signal


@settings(max_examples=50, deadline=None)
@given(arrays(np.float64, st.tuples(*[st.integers(1, 6)] * 3), elements=st.floats(-3, 3)))
def test_best_sums_are_those_of_all_runs_on_all_diagonals(similarity: np.ndarray) -> None:
    frames, sets, others = similarity.shape
    found = alignment.best_sums(similarity)
    for some in range(sets):
        for line in range(frames + others - 1):
            offset = line - (frames - 1)
            diagonal = np.diagonal(similarity[:, some], offset)
            ends = range(1, len(diagonal) + 1)
            runs = [diagonal[start:end].sum() for end in ends for start in range(end)]
            assert found[some, line] == pytest.approx(max(0.0, *runs), abs=1e-9)
            padded = alignment.lines(similarity[:, some])[:, line]
            assert padded[padded != 0].tolist() == diagonal[diagonal != 0].tolist()


@pytest.mark.parametrize(("up", "slower"), [(2.0, 1.0), (-1.0, 1.0), (0.0, 1.05), (0.0, 0.93), (1.0, 1.04)])
def test_transposition_and_tempo_are_found(auditor: Auditor, up: float, slower: float) -> None:
    found = auditor.judge((melody(3, up=up, slower=slower), RATE))
    best = found.matches[0]
    assert (found.verdict, best.reference) == ("copy", "3.wav")
    assert best.transposition == pytest.approx(up, abs=0.5)
    assert best.stretch == pytest.approx(slower, abs=0.012)


def test_distinct_frames() -> None:
    assert alignment.distinct(torch.eye(8).repeat_interleave(2, dim=0)) == pytest.approx(8)
    assert alignment.distinct(torch.ones(16, 4)) == pytest.approx(1)


def test_silence_leaves_chance_no_room(auditor: Auditor) -> None:
    silence = torch.zeros(1, 8 * RATE)
    alone, within = (
        alignment.align(Signal(torch.cat(parts, dim=1), RATE).features, Signal(melody(1), RATE).features)
        for parts in ([melody(1)], [silence, melody(1), silence])
    )
    assert alone is not None
    assert within is not None
    assert alone.room == pytest.approx(6 / PERIOD, rel=0.05)
    assert within.room == pytest.approx(alone.room, rel=0.05)
    assert within.strength == pytest.approx(alone.strength, rel=0.05)
