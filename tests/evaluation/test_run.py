"""Runs are matched, go on after a stop, try again what failed, and come to the rows of one without a stop."""

from __future__ import annotations

import csv
import json
import shutil
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import soundfile
from click.testing import CliRunner
from forked_program import die_writing, forked
from safetensors.torch import load_file, save_file
from small_experiment import batch_ids, measured
from tiny_world import build_tiny_clap

from unheard.cli import main
from unheard.errors import IndexFileError, ModelError
from unheard.evaluation import run, summary
from unheard.evaluation.batch import Batch
from unheard.evaluation.experiment import Experiment
from unheard.evaluation.generator import Generator
from unheard.evaluation.judges import Judges
from unheard.index import Index


class Said(list[tuple[int, int | None, str]]):
    """What progress was reported."""

    def __call__(self, done: int, total: int | None, note: str = "") -> None:
        self.append((done, total, note))

    def first(self, note: str) -> tuple[int, int | None]:
        return next((done, total) for done, total, said in self if said == note)


def test_every_setting_has_the_same_prompts_and_seeds(finished: Any) -> None:
    assert finished.exit_code == 2  # one prompt is empty; the others are there
    assert "1 prompt refused" in finished.output
    assert "prompt is empty" in (finished.out / "summary.md").read_text()
    table = pq.read_table(finished.out / "generations.parquet")
    asked = [(row["setting"], row["prompt"], row["seed"]) for row in table.to_pylist()]
    assert len(asked) == 8
    assert {each[1:] for each in asked if each[0] == "none"} == {
        each[1:] for each in asked if each[0] == "c1"
    }
    pictures = ("trade-off.png", "distributions.png", "trajectory.png")
    assert all((finished.out / path).is_file() for path in (*pictures, *table["audio"].to_pylist()))


def test_an_interrupted_run_goes_on(file: Path, finished: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    generate, judge, calls = Generator.generate, Judges.judge, []

    def interrupted(work: Any, name: str) -> Any:
        def working(self: Any, batch: Batch, *more: Any) -> Any:
            if calls.count(name) == 2:
                calls.append(name)
                raise KeyboardInterrupt
            calls.append(name)
            return work(self, batch, *more)

        return working

    monkeypatch.setattr(Generator, "generate", interrupted(generate, "generated"))
    monkeypatch.setattr(Judges, "judge", interrupted(judge, "judged"))
    out, experiment = file.parent / "out", Experiment.read(file)
    assert CliRunner().invoke(main, ["evaluate", str(file), "--out", str(out)]).exit_code == 130
    assert calls == ["generated"] * 3  # two of four batches, and one stop
    with pytest.raises(KeyboardInterrupt):
        run.evaluate(experiment, out)
    assert calls == ["generated"] * 5 + ["judged"] * 3
    run.evaluate(experiment, out)
    assert calls == ["generated"] * 5 + ["judged"] * 5
    assert measured(out) == measured(finished.out)


def test_a_folder_of_results_is_that_of_its_experiment(file: Path, out: Path) -> None:
    text, summary = file.read_text(), (out / "summary.md").read_bytes()
    file.write_text(text.replace("[settings.c1]", "[settings.renamed]").replace("count = 2", "count = 3"))
    assert run.goes_on(Experiment.read(file), out)
    for old, new in (("A bright bell", "A dark bell"), ("c2 = 0", "c2 = 1"), ("first = 5", "first = 6")):
        file.write_text(text.replace(old, new))
        refused = CliRunner().invoke(main, ["evaluate", str(file), "--out", str(out)])
        assert "it is there already; choose another name" in refused.stderr
    assert (out / "summary.md").read_bytes() == summary
    (out / "manifest.json").write_text('{"experiment": {"settings": 3}}')
    assert "move it away" in CliRunner().invoke(main, ["evaluate", str(file), "--out", str(out)]).stderr


def test_a_killed_evaluation_resumes_to_the_same_rows(file: Path, finished: Any) -> None:
    out, *said = (file.parent / name for name in ("out", "stdout", "stderr"))
    evaluate = ["evaluate", str(file), "--out", str(out)]
    process = forked(evaluate, file.parent, *said, partial(die_writing, "parts", 3))
    process.join()
    assert process.exitcode == -signal.SIGKILL, said[1].read_text()
    before = {path: path.stat().st_mtime_ns for path in (out / "parts").glob("*.parquet")}
    assert len(before) == 2
    assert not (out / "generations.parquet").exists()
    run.evaluate(Experiment.read(file), out)
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert measured(out) == measured(finished.out)


def test_what_failed_is_tried_again_and_nothing_else(
    file: Path, finished: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, experiment = file.parent / "out", Experiment.read(file)
    sounds, asked = Generator.sounds, []

    def failing(self: Generator, batch: Batch) -> Any:
        asked.append((batch.setting, batch.seeds))
        if batch.setting == "c1" and 6 in batch.seeds:
            raise ModelError("not finite")
        return sounds(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Generator, "sounds", failing)
        told = CliRunner().invoke(main, ["evaluate", str(file), "--out", str(out)])
        assert told.exit_code == 2
        assert "2 sounds failed" in told.output
        before = len(asked)
        rows = run.evaluate(experiment, out).table.to_pylist()
        assert sum(row["error"] is not None for row in rows) == 2
        assert {setting for setting, _ in asked[before:]} == {"c1"}
        assert asked[before:][0] == ("c1", (6, 6))
    said = Said()
    run.evaluate(experiment, out, said)
    assert (said.first("generating"), said.first("judging")) == ((6, 8), (6, 8))
    assert measured(out)["error"].null_count == 8
    assert measured(out) == measured(finished.out)


def test_what_is_judged_again_is_not_generated_again(
    file: Path, out: Path, finished: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, at_once = file.read_text(), measured(finished.out)

    def generate(self: Generator, batch: Batch) -> Any:
        raise AssertionError("generated again")

    monkeypatch.setattr(Generator, "generate", generate)
    for judgement in (out / "judgements").iterdir():
        judgement.unlink()
    said = Said()
    run.evaluate(Experiment.read(file), out, said)
    assert (said.first("generating"), said.first("judging")) == ((8, 8), (0, 8))
    assert said[-1] == (8, 8, "judging")
    assert measured(out) == at_once

    build_tiny_clap(file.parent / "other judge", seed=7)
    lines = [line for line in text.splitlines() if not line.startswith("judge = ")]
    file.write_text("\n".join([f'judge = "{file.parent}/other judge"', *lines]))
    run.evaluate(Experiment.read(file), out)
    assert measured(out)["clap_score"] != at_once["clap_score"]
    same = ["audio_sha256", "verdict", "guide_nearest_similarity"]
    assert measured(out).select(same) == at_once.select(same)

    file.write_text(text.replace("settings.c1", "settings.renamed"))
    run.evaluate(Experiment.read(file), out)
    assert measured(out).drop_columns(["setting"]) == at_once.drop_columns(["setting"])
    assert set(measured(out)["setting"].to_pylist()) == {"none", "renamed"}


def test_rows_say_what_their_trace_measures(file: Path, out: Path, finished: Any) -> None:
    rows = measured(finished.out)
    measures = {row["setting"]: row["trace_measure"] for row in rows.to_pylist()}
    assert measures == {"none": [None, None], "c1": ["cosine to the nearest training item"] * 2}
    for part in (out / "parts").iterdir():  # as they were written before there was such a column
        pq.write_table(pq.read_table(part).drop_columns(["trace_measure"]), part)
    run.evaluate(Experiment.read(file), out)
    assert measured(out) == rows


def test_sets_are_compared_with_sounds_held_out(file: Path, out: Path) -> None:
    results = run.evaluate(Experiment.read(file), out)
    assert results.held_out is not None
    assert len(results.held_out) == 3
    entries = {
        (each["setting"], each["group"], each["metric"]): each
        for each in summary.summarise(results.table, {"none": "none", "c1": "none"}, results.held_out)
    }
    distance = entries["c1", "all", "kernel_audio_distance"]
    assert distance["low"] <= distance["high"]
    assert entries["none", "all", "kernel_audio_distance"]["difference"] == 0
    assert entries["none", "all", "frechet_audio_distance"]["value"] > 0
    without = summary.summarise(results.table, {"none": "none", "c1": "none"})
    assert {each["value"] for each in without if "audio_distance" in each["metric"]} == {None}


def test_every_model_is_compared_with_itself_in_the_metrics_that_are_named(
    file: Path, tiny_model_folder: Path
) -> None:
    shutil.copytree(tiny_model_folder, file.parent / "other")
    transformer = file.parent / "other" / "transformer" / "diffusion_pytorch_model.safetensors"
    weights = load_file(transformer)
    save_file({name: weight * 1.01 for name, weight in weights.items()}, transformer)
    text = file.read_text()
    text = text.replace("model = ", "metrics = ['diversity', 'replicated']\nmodels = ['other', ", 1)
    text = text.replace("\nreferences", "]\nreferences", 1)
    text += "[settings.'its own']\nmodel = 'other'\nguidance = 'none'\nguidance_scale = 1.0\n"
    file.write_text(text)
    experiment = Experiment.read(file)
    assert experiment.models == (str(file.parent / "other"), str(tiny_model_folder))
    assert experiment.baselines == {
        "none (other)": "none (other)",
        "none (model)": "none (model)",
        "c1 (other)": "none (other)",
        "c1 (model)": "none (model)",
        "its own": "none (other)",
    }
    out = file.parent / "out"
    assert CliRunner().invoke(main, ["evaluate", str(file), "--out", str(out)]).exit_code == 2
    rows = measured(out).to_pylist()
    assert len(rows) == 5 * 2 * 2
    assert {(row["model"], row["setting"]) for row in rows} == {
        (options["model"], name) for name, options in experiment.settings.items()
    }
    first = {row["setting"]: row["audio_sha256"] for row in rows[::-1]}
    assert first["none (other)"] != first["none (model)"]
    entries = list(csv.DictReader((out / "summary.csv").open()))
    assert {entry["metric"] for entry in entries} == {"diversity", "replicated"}
    assert "clap_score" not in (out / "summary.md").read_text()
    assert "to `none (other)`, `none (model)`" in (out / "summary.md").read_text()
    again = CliRunner().invoke(main, ["evaluate", "--again", str(out), "1"])
    assert "the same audio" in again.output


def test_an_index_that_was_built_guides_and_judges_on_a_model_that_brings_none(indexless: Path) -> None:
    folder, text = indexless.parent, indexless.read_text()
    out = folder / "out"
    arguments = ["evaluate", str(indexless), "--out", str(out)]
    assert CliRunner().invoke(main, arguments).exit_code == 2  # for the empty prompt
    rows = pq.read_table(out / "generations.parquet").to_pylist()
    assert len(rows) == 8
    assert all(len(row["trace_similarity"]) == 2 for row in rows)
    acted = {
        setting: {row["acted"] for row in rows if row["setting"] == setting} for setting in ("none", "c1")
    }
    assert acted["none"] == {0}
    assert acted["c1"] != {0}
    assert all(row["guide_nearest_similarity"] is not None for row in rows)
    assert all(row["verdict"] is not None for row in rows)
    assert {soundfile.info(out / row["audio"]).frames for row in rows} == {16_000}
    identity = json.loads((out / "manifest.json").read_text())["identity"][str(folder / "bare")]
    assert identity["index"] == Index.open(folder / "training-set").sha256
    again = CliRunner().invoke(main, ["evaluate", "--again", str(out), "5"])
    assert "the same audio" in again.output

    def ids(before: str, after: str) -> set[str]:
        assert before in text
        indexless.write_text(text.replace(before, after))
        return set(batch_ids(indexless))

    same = ids('index = "', 'device = "cpu"\ndtype = "float32"\nindex = "')
    assert same == {row["batch"] for row in rows}
    assert not ids("duration = 1.0", "duration = 0.8") & same
    assert not ids('index = "', 'dtype = "bfloat16"\nindex = "') & same
    build_tiny_clap(folder / "embedder", seed=7)
    with pytest.raises(IndexFileError, match="was made by"):
        ids('index = "', 'index = "')
    indexless.write_text(text.replace('index = "training-set"\n', ""))
    refused = CliRunner().invoke(main, arguments)
    assert refused.exit_code == 2
    assert "needs an index" in refused.output or "nothing to compare with" in refused.output
    assert pq.read_table(out / "generations.parquet").to_pylist() == rows
