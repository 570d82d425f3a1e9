"""Whether a sound has what its caption says."""

from __future__ import annotations

import pytest

from unheard.evaluation.listener import Heard, Said
from unheard.evaluation.metrics import OF_CAPTIONS
from unheard.evaluation.metrics.kept import kept, tempo_octave

HEARD = Heard("oboe", "winds", 100.0, "D minor")


def test_each_is_kept_where_it_is_heard() -> None:
    assert kept(Said("oboe", "winds", 100.0, "D minor"), HEARD) == {
        "instrument_kept": True, "family_kept": True, "tempo_kept": True, "tempo_octave": False,
        "key_kept": True,
    }  # fmt: skip
    assert kept(Said("flute", "winds", 120.0, "F major"), HEARD) == {
        "instrument_kept": False, "family_kept": True, "tempo_kept": False, "tempo_octave": None,
        "key_kept": False,
    }  # fmt: skip


def test_what_is_not_said_is_empty() -> None:
    assert kept(Said(None, None, None, None), HEARD) == dict.fromkeys(OF_CAPTIONS)


def test_of_a_collapsed_sound_nothing_is_kept() -> None:
    assert kept(Said("oboe", None, 100.0, "D minor"), None) == {
        "instrument_kept": False, "family_kept": None, "tempo_kept": False, "tempo_octave": None,
        "key_kept": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("heard", "octave"),
    [(100, 1), (103.9, 1), (96.1, 1), (104.1, None), (95.9, None), (200, 2), (50, 0.5), (66.7, None)],
)
def test_a_tempo_is_kept_within_four_percent_also_by_an_octave(heard: float, octave: float | None) -> None:
    assert tempo_octave(heard, 100.0) == octave
    said = kept(Said(None, None, 100.0, None), Heard("oboe", "winds", heard, "D minor"))
    assert (said["tempo_kept"], said["tempo_octave"]) == (octave is not None, octave and octave != 1)
