"""Searches: they go on after a stop, pass over what makes no sound, and write presets that are taken."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner
from needed import need
from small_experiment import PLAIN_SPACE, searching

from unheard.cli import main
from unheard.errors import ModelError
from unheard.evaluation import columns, tuning
from unheard.evaluation.batch import Batch, Generated
from unheard.evaluation.experiment import Experiment
from unheard.evaluation.generator import Generator
from unheard.evaluation.local_engine import LocalEngine

need("optuna")


def test_tuning_resumes_and_its_presets_are_taken(file: Path, tiny_model_folder: Path) -> None:
    searched = file.with_name("search.toml")
    space = (
        "[search.amg]\nguidance_scale = {low = 1.5, high = 4}\n[search.amg.guidance]\nkind = 'amg'\n"
        "c1 = {low = 0, high = 8}\nc2 = 0\nc3 = 0\nlambda_min = [-1.0, 0.5]\n"
        "[search.basin.guidance]\nkind = 'basin'\nlatest = {low = 0.5, high = 50.0, log = true}\n"
    )
    searched.write_text(searching(file.read_text(), space))
    out = file.parent / "out"
    for trials in (2, 3):
        result = CliRunner().invoke(main, ["tune", str(searched), "--trials", str(trials), "--out", str(out)])
        assert result.exit_code == 0, result.output
    assert "trial 3 of 3" in result.output
    assert "trial 2 of 3" not in result.output
    rows = list(csv.DictReader((out / "trials.csv").open()))
    assert len(rows) == 3
    assert (out / "front.png").is_file()
    presets = sorted((out / "presets").iterdir())
    assert [row["trial"] for row in rows if row["front"] == "True"]
    assert {f"trial-{row['trial']}.json" for row in rows if row["front"] == "True"} == {
        p.name for p in presets
    }
    sound = file.parent / "sound.wav"
    taken = CliRunner().invoke(
        main, ["generate", "A bright bell", "--model", str(tiny_model_folder), "--preset", str(presets[0]),
               "--output", str(sound)],
    )  # fmt: skip
    assert taken.exit_code == 0, taken.output
    preset, record = json.loads(presets[0].read_text()), json.loads(sound.with_suffix(".json").read_text())
    assert record["guidance"] == preset["guidance"]
    assert record["sampling"]["num_inference_steps"] == 2
    refused = CliRunner().invoke(main, ["tune", str(file), "--trials", "1", "--out", str(file.parent / "no")])
    assert refused.exit_code == 2
    assert "nothing to search" in refused.output
    (out / "trials.db").write_bytes(b"no database" * 100)
    damaged = CliRunner().invoke(main, ["tune", str(searched), "--out", str(out)])
    assert damaged.exit_code == 2
    assert "trials.db (file is not a database): make room, or choose another folder" in damaged.stderr


def test_an_index_that_was_built_is_searched_by_tune(indexless: Path) -> None:
    space = "[search.amg.guidance]\nkind = 'amg'\nc1 = {low = 0, high = 8}\nc2 = 0\nc3 = 0\n"
    indexless.write_text(searching(indexless.read_text(), space))
    out = indexless.parent / "out"
    tuned = CliRunner().invoke(main, ["tune", str(indexless), "--trials", "1", "--out", str(out)])
    assert tuned.exit_code == 0, tuned.output
    assert "trial 1 of 1" in tuned.output


def test_a_trial_that_was_interrupted_is_taken_up_with_its_values_and_its_batches(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(searching(file.read_text().replace("batch = 2", "batch = 1"), PLAIN_SPACE))
    generate, begun = Generator.generate, []

    def stopping(self: Generator, batch: Batch) -> Generated:
        begun.append(batch.id)
        if len(begun) == 4:  # the second of the second trial's two
            raise KeyboardInterrupt
        return generate(self, batch)

    monkeypatch.setattr(Generator, "generate", stopping)
    tune = ["tune", str(file), "--out", str(file.parent / "out"), "--trials", "2"]
    assert CliRunner().invoke(main, tune).exit_code == 130
    assert len({*begun}) == 4
    resumed = CliRunner().invoke(main, tune)
    assert resumed.exit_code == 0, resumed.output
    assert "trial 2 of 2" in resumed.output
    assert begun[4:] == begun[3:4]
    scales = [row["guidance_scale"] for row in csv.DictReader((file.parent / "out" / "trials.csv").open())]
    assert len({*scales}) == 2


def test_tuning_passes_over_settings_that_make_no_sound_but_not_over_all(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(searching(file.read_text(), PLAIN_SPACE))
    sounds, fails = Generator.sounds, iter([True] * 6 + [False] + [True] * 99)

    def failing(self: Generator, batch: Batch) -> Any:
        if next(fails):
            raise ModelError("not finite")
        return sounds(self, batch)

    monkeypatch.setattr(Generator, "sounds", failing)
    tune = ["tune", str(file), "--out", str(file.parent / "out"), "--trials"]
    first = CliRunner().invoke(main, [*tune, "1"])  # a trial that fails tries its batch, then both sounds
    assert first.exit_code == 0, first.output
    assert "trial 1 of 1" in first.output
    second = CliRunner().invoke(main, [*tune, "2"])
    assert second.exit_code == 2
    assert "5 settings in a row" in second.output
    assert len(list(csv.DictReader((file.parent / "out" / "trials.csv").open()))) == 1


def test_tuning_passes_over_a_trial_of_which_more_than_a_tenth_is_missing(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(searching(file.read_text(), PLAIN_SPACE))
    fails = {"error": "not finite", "replicated": None, "clap_score": None, "seconds": None}
    unjudged = {"verdict": "not judged", "replicated": None, "collapsed": False}
    short = {"verdict": "too short to tell", "replicated": None}
    collapsed = unjudged | {"collapsed": True}
    missing = iter([[fails, fails], [fails, unjudged], [short, unjudged], [unjudged], [collapsed] * 3])

    def run_settings(local: LocalEngine, names: list[str], *where: Any) -> pa.Table:
        row = {"setting": names[0], "group": "listed", "prompt": "A bright bell", "replicated": False,
               "clap_score": 0.5, "seconds": 1.0}  # fmt: skip
        lacking = next(missing)
        rows = [row | {"seed": seed} for seed in range(10)]
        rows = [row | lack for row, lack in zip(rows, lacking, strict=False)] + rows[len(lacking) :]
        return pa.Table.from_pylist(rows, schema=columns.ROWS)

    monkeypatch.setattr(tuning, "run_settings", run_settings)
    with pytest.warns(UserWarning, match="passed over: 2 of 10 sounds") as warned:
        trials = tuning.tune(Experiment.read(file), 2, file.parent / "out")
    assert len([each for each in warned if "passed over" in str(each.message)]) == 3
    assert [each.missing for each in trials] == [1, 0]
    assert [each.number for each in trials] == [3, 4]
    assert [each.values["copied_or_collapsed"] for each in trials] == [0, 0.3]
