"""The processes that decode."""

from __future__ import annotations

import multiprocessing

from unheard.index.building.recording import Reject
from unheard.index.building.workers import decode_all


def test_once_a_build_has_left_them_none_is_there() -> None:
    before = set(multiprocessing.active_children())
    outcomes = decode_all([Reject("a.wav", "one"), Reject("b.wav", "another")], workers=1)
    assert next(outcomes) == Reject("a.wav", "one")
    assert set(multiprocessing.active_children()) > before
    outcomes.close()
    assert set(multiprocessing.active_children()) <= before
