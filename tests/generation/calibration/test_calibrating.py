"""A calibrated gate opens on what was memorised, and on at most the stated share of ordinary captions."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from memorising_toy import MEMORISED, ORDINARY
from torch import Tensor

import unheard
from unheard import Model
from unheard.generation.calibration import replays
from unheard.generation.calibration.calibrating import _advise, _draw
from unheard.generation.calibration.captions import ordinary_captions, repeated_captions
from unheard.guidance.base import GuidanceWarning
from unheard.guidance.detour.high_noise import high_noise


@pytest.fixture(scope="module")
def by_pull(toy: Model) -> unheard.Calibration:
    """From captions alone."""
    return unheard.calibrate(toy, count=60, false_alarms=0.05, seed=3, batch=20)


@pytest.fixture(scope="module")
def by_recordings(toy: Model, recordings: Path) -> unheard.Calibration:
    return unheard.calibrate(toy, references=recordings, count=24, false_alarms=0.1, sounds=2, batch=15)


def test_captions_that_are_there_once_are_ordinary_and_repeated_ones_are_suspected(toy: Model) -> None:
    assert toy.index is not None
    assert repeated_captions(toy.index, 4) == list(MEMORISED[:4])
    drawn = ordinary_captions(toy.index, 40, seed=1, without=["SLOW drum, a"], memorised={"ordinary_1"})
    assert len(set(drawn)) == 40
    assert not set(drawn) & {*MEMORISED, ORDINARY[0], ORDINARY[1]}
    more = ordinary_captions(toy.index, 70, seed=1, without=["slow drum a"], memorised=["ordinary_1"])
    assert drawn == more[:40]
    assert drawn != ordinary_captions(toy.index, 40, seed=2)


def test_the_pull_tells_memorised_captions_from_ordinary_ones(by_pull: unheard.Calibration) -> None:
    (at,) = by_pull.durations
    told = at.statistics["pull"]
    assert set(by_pull.ordinary) <= set(ORDINARY)
    assert by_pull.suspected == MEMORISED
    assert set(at.statistics) == {"pull", "settled pull", "alignment"}
    assert told.threshold.above <= 0.05 * 60
    assert told.separation is not None
    assert told.separation.above == len(MEMORISED)
    assert by_pull.separates
    assert by_pull.proof == ()


def test_its_gate_opens_on_memorised_prompts_and_hardly_on_other_ones(
    toy: Model, by_pull: unheard.Calibration
) -> None:
    """Of the captions that the null was not drawn from."""
    others = [caption for caption in ORDINARY if caption not in by_pull.ordinary]
    guidance = by_pull.detour(0.6, 0)
    sounds = toy.generate([*MEMORISED, *others], seed=50, guidance=guidance, batch=21)
    # What is made again at the end kept its prompt: of this toy, whose captions all share their words, half.
    opened = [sound.trace[0].acted and "instead_of" not in sound.provenance for sound in sounds]
    assert all(opened[: len(MEMORISED)])
    assert sum(map(bool, opened[len(MEMORISED) :])) <= 0.2 * len(others)


def test_what_is_measured_is_what_the_gate_sees(toy: Model, recordings: Path) -> None:
    """The largest value of a trace, of a detour that never opens, is the reading, for both gates."""
    prompts, seeds = ["my own bell", "my own drum"], [7, 8]
    options: dict[str, Any] = {"references": recordings, "sounds": 0, "captions": []}
    found = unheard.calibrate(toy, count=0, prompts=[*prompts, *ORDINARY[:18]], seed=7, **options)
    shut = unheard.Detour(pull=1e9, threshold=1.0)
    (at,) = found.durations
    compared = toy.generate(prompts, seed=seeds, guidance=shut, references=recordings)
    excesses = [max(step.value for step in sound.trace) for sound in compared]
    assert at.statistics["excess"].ordinary[:2] == pytest.approx(excesses, abs=1e-4)
    pulled = toy.generate(prompts, seed=seeds, guidance=shut)
    pulls = [max(step.value for step in sound.trace if step.sigma >= at.high_noise) for sound in pulled]
    assert at.statistics["pull"].ordinary[:2] == pytest.approx(pulls, abs=1e-4)
    asked = toy.generate(prompts, seed=seeds, guidance=unheard.Detour(settled_pull=1e-9))
    told = [sound.trace[0].value for sound in asked]
    assert at.statistics["settled pull"].ordinary[:2] == pytest.approx(told, abs=1e-4)


def test_recordings_are_compared_with_and_sounds_are_the_proof(by_recordings: unheard.Calibration) -> None:
    (at,) = by_recordings.durations
    told = at.statistics["excess"]
    assert by_recordings.recordings == len(MEMORISED)
    assert told.separation is not None
    assert told.separation.area == 1.0
    assert min(told.suspected) > told.threshold.value
    assert told.threshold.rate == pytest.approx(0.05)  # either of two gates may open
    assert len(by_recordings.proof) == 2
    for each in by_recordings.proof:
        assert each.caption in MEMORISED
        assert each.fallback is not None


def test_what_would_have_to_be_done_again_is_said_before_it_is_done(
    toy: Model, bundled: Model, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training_set = toy.training_set(references=recordings)
    with pytest.warns(GuidanceWarning, match=f"{len(MEMORISED)} of {len(MEMORISED)} recordings are not enc"):
        _advise(toy, training_set)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _advise(toy, toy.training_set())  # none at hand
        _advise(bundled, bundled.training_set())  # those alone that it has memorised
        monkeypatch.setattr(Model, "encoded", lambda *_: len(MEMORISED))
        _advise(toy, training_set)


def test_captions_that_are_no_different_do_not_separate(toy: Model) -> None:
    """Half of the ordinary captions, suspected."""
    found = unheard.calibrate(toy, captions=ORDINARY[::4], count=60, batch=21)
    assert found.separates is False
    assert not set(found.suspected) & set(found.ordinary)


def test_each_duration_has_thresholds_of_its_own(toy: Model) -> None:
    found = unheard.calibrate(toy, captions=[], count=20, durations=[0.6, 0.3], batch=20)
    assert [at.duration for at in found.durations] == [0.3, 0.6]
    assert found.separates is None
    assert found.durations[0].high_noise < found.durations[1].high_noise  # fewer frames hide less


def test_what_cannot_be_used_is_one_line(toy: Model) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"false_alarms": 0.0}, "false_alarms is 0.0"),
        ({"false_alarms": float("nan")}, "false_alarms is nan"),
        ({"count": 19}, "count is 19: 20 ordinary captions at least"),
        ({"count": -1}, "count is -1"),
        ({"durations": [99.0]}, "duration is 99 s"),
        ({"captions": [""]}, "prompt is empty"),
    ]
    for options, message in cases:
        with pytest.raises(unheard.InputError, match=message):
            unheard.calibrate(toy, **options)


def test_the_noise_hides_which_item_a_sound_is_down_to_the_capacity_of_the_channel() -> None:
    for values, items, spread in ((3000, 2620, 1.0), (65_536, 486_492, 0.8), (100, 2, 2.0)):
        sigma = high_noise(values, items, spread)
        assert values / 2 * math.log(1 + (spread / sigma) ** 2) == pytest.approx(math.log(items))


class Interrupted(Exception):
    pass


def test_an_interrupted_calibration_goes_on_where_it_was(
    tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a model that was loaded from a folder; one that is not is measured anew."""
    model = unheard.load(tiny_model_folder)
    options: dict[str, Any] = {"prompts": [f"A bell {n}" for n in range(20)], "count": 8, "batch": 7}
    rows: list[int] = []
    denoise = model.backbone.denoise

    def counting(x: Tensor, sigma: Tensor, conditioning: Any) -> Tensor:
        rows.append(len(x))
        return denoise(x, sigma, conditioning)

    def stop(done: int, total: int | None, note: str = "") -> None:
        if done >= 14:
            raise Interrupted

    monkeypatch.setattr(model.backbone, "denoise", counting)
    monkeypatch.setattr(replays, "PATIENCE", 0)  # sounds that are finished are not cached
    with pytest.raises(Interrupted):
        unheard.calibrate(model, progress=stop, **options)
    before = sum(rows)
    resumed = unheard.calibrate(model, **options)
    after, whole = sum(rows) - before, unheard.calibrate(model, **options)
    assert sum(rows) == before + after  # the third is read
    assert whole.durations == resumed.durations
    assert min(before, after) > 0
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/none")
    with pytest.warns(UserWarning, match="readings are not cached"):
        uncached = unheard.calibrate(model, **options)
    assert sum(rows) == 2 * (before + after)
    assert uncached.durations == resumed.durations


def test_damaged_readings_are_measured_again(tiny_model_folder: Path, tmp_path: Path) -> None:
    model = unheard.load(tiny_model_folder)
    options: dict[str, Any] = {"prompts": [f"A bell {n}" for n in range(20)], "count": 0}
    found = unheard.calibrate(model, **options)
    (path,) = (tmp_path / "cache" / "unheard" / "readings").iterdir()
    damages: list[Callable[[str], str]] = [lambda text: text[:99], lambda _: "[]", lambda _: '{"spread": 1}']
    for damage in damages:
        path.write_text(damage(path.read_text()))
        with pytest.warns(UserWarning, match=r"cannot read .*; it is measured again"):
            again = unheard.calibrate(model, **options)
        torch.testing.assert_close(
            torch.tensor(again.durations[0].statistics["pull"].ordinary),
            torch.tensor(found.durations[0].statistics["pull"].ordinary),
        )


def test_recordings_that_are_named_are_not_taken_for_memorised(bundled: Model, tmp_path: Path) -> None:
    """The whole training set of a model that brings a list of what it has memorised."""
    assert bundled.index is not None
    for item in set(bundled.index.ids):
        (tmp_path / f"{item}.wav").touch()
    training_set = bundled.training_set(references=tmp_path)
    assert len(training_set.recordings) == bundled.index.items
    named, brought = (
        _draw(bundled, some, ["A drum loop"], [], 30, 0) for some in (training_set, bundled.training_set())
    )
    assert len(named.ordinary) == 30
    assert named.ordinary == brought.ordinary
