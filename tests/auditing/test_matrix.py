"""What a person can look at of a match."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from melodies import RATE, melody

from unheard.auditing import Auditor, similarity_matrix
from unheard.auditing.features import PERIOD


def test_the_matrix_of_a_match(auditor: Auditor) -> None:
    sound = torch.cat([torch.zeros(1, RATE), melody(2, up=1.0)], dim=1)
    match = auditor.judge((sound, RATE)).matches[0]
    shown = similarity_matrix(sound, RATE, *auditor.catalogue.read(match.reference), match)
    assert shown.similarity.shape == (round(7 / PERIOD) + 1, round(6 / PERIOD) + 1)
    assert shown.similarity.dtype == np.float32
    ours, theirs = np.array(shown.path).T
    assert (ours - theirs).mean() * PERIOD == pytest.approx(1, abs=0.05)
    assert shown.similarity[ours, theirs].mean() > shown.similarity.mean() + 0.3
