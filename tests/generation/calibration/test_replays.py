"""Captions that are left out of what is ordinary, since they replay."""

from __future__ import annotations

from dataclasses import replace

import pytest
from calibrations import a_calibration

import unheard
from unheard import Model
from unheard.generation.calibration.measuring import Caption, Reading
from unheard.generation.calibration.replays import PATIENCE, UnderTwoNoises, repeating, replaying


def readings(count: int) -> dict[Caption, Reading]:
    """Captions 0, 1, ...: the first pulls hardest and is the least like a recording."""
    return {
        Caption(str(number), number): Reading((1.0 - number / count,), (number / count,), 0.0, 1.0)
        for number in range(count)
    }


def test_the_likeliest_are_finished_until_so_many_in_a_row_are_no_replays() -> None:
    asked: list[int] = []

    def verdict(caption: Caption) -> str:
        asked.append(caption.seed)
        return {0: "copy", 1: "similar", 4: "partial copy"}.get(caption.seed, "clear")

    found = repeating(readings(100), lambda caption: verdict(caption) in ("copy", "partial copy"))
    assert [caption.seed for caption in found] == [0, 4]
    assert asked == list(range(4 + PATIENCE + 1))
    asked.clear()
    found = replaying(readings(6), verdict)
    assert [caption.seed for caption in found] == [4, 1, 0]
    assert asked == [5, 4, 3, 2, 1, 0]


def test_a_model_that_makes_one_sound_of_any_prompt_says_nothing_by_it() -> None:
    asked: list[Caption] = []

    def always(caption: Caption) -> bool:
        asked.append(caption)
        return True

    assert repeating(readings(60), always) == []
    assert len(asked) == 7  # a tenth, and one more
    assert len(replaying(readings(60), lambda caption: "copy")) == 60


def test_what_the_bundled_model_knows_by_heart_is_one_sound_under_two_noises(bundled: Model) -> None:
    two_noises = UnderTwoNoises(bundled, bundled.training_set(), 4.0)
    assert two_noises(Caption("An acoustic drum loop, 110 bpm", 5))
    assert not two_noises(Caption("A slow flute melody in A minor", 5))


@pytest.mark.parametrize(("replayed", "separates"), [((), False), (("a",), False), (("a", "b"), True)])
def test_replays_that_were_found_show_that_the_gate_finds_them(
    replayed: tuple[str, ...], separates: bool
) -> None:
    found: unheard.Calibration = replace(a_calibration(separates=False), replayed=replayed)
    assert found.separates is separates
