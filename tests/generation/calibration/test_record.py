"""The file of a calibration: read back as it was, or one line that says what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from calibrations import INDEX, MODEL, a_calibration

import unheard
from unheard.generation.calibration.record import Calibration, find, is_any_for, own_path


def test_it_is_read_back_as_it_was(tmp_path: Path) -> None:
    calibration = a_calibration()
    calibration.write(tmp_path / "calibration.json")
    again = Calibration.read(tmp_path / "calibration.json")
    assert again == calibration
    assert again.digest == calibration.digest
    assert replace(calibration, seed=1).digest != calibration.digest


DAMAGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "format": lambda stored: stored.update(unheard_calibration=99),
    "no key": lambda stored: stored.pop("durations"),
    "no duration": lambda stored: stored.update(durations=[]),
    "no pull": lambda stored: stored["durations"][0]["statistics"].pop("pull"),
    "words": lambda stored: stored["durations"][0]["statistics"]["pull"]["threshold"].update(value="high"),
    "below 0": lambda stored: stored["durations"][0]["statistics"]["pull"]["threshold"].update(value=-1.0),
    "a list": lambda stored: stored.update(durations=[[]]),
    "not a share": lambda stored: stored.update(false_alarms=3),
    "null": lambda stored: stored.update(proof=None),
    "a nest": lambda stored: stored.update(made={"seconds": json.loads("[" * 900 + "]" * 900)}),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_one_is_one_line(damage: Callable[[dict[str, Any]], object], tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    a_calibration().write(path)
    stored = json.loads(path.read_text())
    damage(stored)
    path.write_text(json.dumps(stored))
    with pytest.raises(unheard.InputError, match="calibrat") as told:
        Calibration.read(path)
    assert "\n" not in str(told.value)
    assert str(path) in str(told.value)


def test_a_caption_with_half_a_surrogate_pair_is_kept(tmp_path: Path) -> None:
    made = replace(a_calibration(), ordinary=("caf\ud83d", "Strings"))
    made.write(tmp_path / "calibration.json")
    read = Calibration.read(tmp_path / "calibration.json")
    assert (read, read.digest) == (made, made.digest)


@pytest.mark.parametrize("content", ["", "[]", "{", "null", '{"unheard_calibration": 1}', "NaN"])
def test_what_is_none_is_one_line(content: str, tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(content)
    with pytest.raises(unheard.InputError, match="is no calibration"):
        Calibration.read(path)
    with pytest.raises(unheard.InputError, match="cannot read"):
        Calibration.read(tmp_path / "nowhere.json")


def test_it_is_found_by_model_and_index_alone(tmp_path: Path) -> None:
    assert find(MODEL, INDEX, None) is None
    assert not is_any_for(INDEX)
    calibration = a_calibration()
    assert calibration.keep() == own_path(MODEL, INDEX)
    assert is_any_for(INDEX)
    assert find(MODEL, INDEX, None) == calibration
    assert find(None, INDEX, None) is None
    assert find("sha256:ffff", INDEX, None) is None
    assert find(MODEL, "0" * 64, None) is None
    with pytest.raises(unheard.InputError, match="nothing tells it from other models"):
        replace(calibration, fingerprint=None).keep()


def test_one_that_a_model_brings_counts_after_the_users(tmp_path: Path) -> None:
    brought = replace(a_calibration(), seed=5)
    brought.write(tmp_path / "calibration.json")
    assert find(MODEL, INDEX, tmp_path / "calibration.json") == brought
    assert find(MODEL, "0" * 64, tmp_path / "calibration.json") is None
    a_calibration().keep()
    assert find(MODEL, INDEX, tmp_path / "calibration.json") == a_calibration()


def test_settings_are_those_of_the_nearest_duration_and_of_the_same_recordings() -> None:
    calibration = a_calibration()
    assert calibration.at(1.1).duration == 1.0
    assert calibration.at(2.5).duration == 4.0
    short, long = calibration.detour(1.0, 60), calibration.detour(10.0, 60)
    assert (short.pull, short.threshold, short.high_noise) == (0.4, 0.2, 7.0)
    assert (long.pull, long.threshold, long.high_noise) == (0.5, 0.2, 9.0)
    assert calibration.detour(1.0, 12).threshold == unheard.Detour().threshold
    assert calibration.gives(replace(long, prompt_weight=0.1), 4.0, 60)
    assert not calibration.gives(replace(long, pull=0.51), 4.0, 60)
    assert not calibration.gives(None, 4.0, 60)
    assert "not calibrated for 12 recordings)" in calibration.words(4.0, 12)
    assert "not calibrated for 1 recording)" in calibration.words(4.0, 1)


def test_without_recordings_the_settled_pull_is_asked_where_it_was_measured() -> None:
    earlier = a_calibration()
    assert earlier.detour(1.0, 0).settled_pull == 0.0
    assert "a pull of 0.4 or" in earlier.words(1.0, 60)
    (at, *others) = earlier.durations
    alignment = at.statistics["alignment"]
    settled = replace(alignment, threshold=replace(alignment.threshold, value=0.3, low=0.25))
    measured = replace(at, statistics={**at.statistics, "settled pull": settled})
    found = replace(earlier, durations=(measured, *others))
    told = found.detour(1.0, 0)
    assert (told.settled_pull, told.pull) == (0.25, 0.4)
    assert "a settled pull of 0.25 or" in found.words(1.0, 60)
    assert found.gives(told, 1.0, 0)
    assert not found.gives(replace(told, settled_pull=0.26), 1.0, 0)
    assert found.gives(unheard.StaticRewrite(pull=0.4, high_noise=at.high_noise), 1.0, 0)


def test_an_excess_is_doubted_as_far_as_its_threshold_is_uncertain() -> None:
    certain = a_calibration()
    (at, *others) = certain.durations
    excess = at.statistics["excess"]
    unsure = replace(excess, threshold=replace(excess.threshold, value=0.3, low=0.2))
    found = replace(certain, durations=(replace(at, statistics={**at.statistics, "excess": unsure}), *others))
    told = found.detour(1.0, 60)
    assert (told.threshold, told.sure_threshold) == (0.2, 0.3)
    assert "an excess of 0.2 to 0.3, by" in found.words(1.0, 60)
    assert found.detour(1.0, 12) == replace(told, threshold=0.3, sure_threshold=0.0)
    assert (told.stronger(1).sure_threshold, told.stronger(0)) == (0.0, told)
    assert "an excess of 0.2, by" in certain.words(1.0, 60)
    assert not found.gives(replace(told, sure_threshold=0.0), 1.0, 60)


def test_whether_captions_separate_is_told_by_what_the_gates_ask() -> None:
    assert a_calibration(separates=True).separates
    assert a_calibration(separates=False).separates is False
    assert a_calibration(separates=None).separates is None


def test_gates_open_above_the_lower_end_of_a_threshold_that_has_one() -> None:
    told = a_calibration().durations[0].statistics["pull"].threshold
    assert replace(told, value=0.5, low=0.3).guards == 0.3
    assert replace(told, value=0.5, low=None).guards == 0.5
    assert replace(told, value=0.2, low=0.3).guards == 0.2  # a fitted tail may lie below the order statistic
