"""Experiments on the random small world: matched, resumable, made again, searched, with one bad prompt."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file
from tiny_world import build_tiny_clap

from lab.split import FIRST_SEED, split
from unheard.auditing.references import recordings_of
from unheard.backbones.stable_audio.backbone import StableAudioBackbone
from unheard.cli import main
from unheard.errors import IndexFileError, InputError, ModelError
from unheard.evaluation import generating, held_out, judging, reproduce, run, summary, tuning
from unheard.evaluation.experiment import Experiment
from unheard.evaluation.metrics import memory
from unheard.evaluation.prompts import read_prompts
from unheard.evaluation.recording_embeddings import hear

EXPERIMENTS = sorted((Path(__file__).parents[2] / "experiments").glob("*.toml"))
ON_A_HUB_MODEL = next(path for path in EXPERIMENTS if path.stem == "stable-audio-open")

DIES_WRITING_ITS_THIRD_PART = """
import os, signal, sys
import unheard.common.files
replace, parts = os.replace, []
def dying(source, target):
    if "parts" in str(target):
        parts.append(target)
        if len(parts) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)
unheard.common.files.os.replace = dying
from unheard.cli import main
main(sys.argv[1:])
"""


def write_noise(folder: Path, names: list[str]) -> None:
    folder.mkdir()
    for number, name in enumerate(names):
        noise = torch.rand(24_000, generator=torch.Generator().manual_seed(number)) - 0.5
        soundfile.write(folder / f"{name}.wav", noise.numpy(), 16_000)


@pytest.fixture
def file(tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_noise(tmp_path / "references", ["train_00", "train_01"])
    write_noise(tmp_path / "unseen", ["a", "b", "c"])
    path = tmp_path / "experiment.toml"
    path.write_text(
        f'model = "{tiny_model_folder}"\nreferences = "references"\njudge = "{tiny_model_folder}/guide"\n'
        'held_out = "unseen"\n'
        "seeds = {first = 5, count = 2}\nbatch = 2\n[base]\nnum_inference_steps = 2\n"
        '[settings.none]\nguidance = "none"\n[settings.c1]\nguidance = {kind = "amg", c2 = 0, c3 = 0}\n'
        '[[prompts]]\nlist = ["A bright bell", "", "A slow piano melody"]\n'
    )
    return path


def measured(out: Path) -> run.pa.Table:
    """The rows, without what a clock or the system says."""
    table = run.pq.read_table(out / "generations.parquet")
    return table.drop_columns(["seconds", "judging_seconds", "peak_memory"])


def test_an_experiment_resumes_and_is_made_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, other = file.parent / "out", file.parent / "other"
    arguments = ["evaluate", str(file), "--out"]
    whole = CliRunner().invoke(main, [*arguments, str(out)])
    assert whole.exit_code == 2  # one prompt is empty; the others are there
    assert "1 prompts refused" in whole.output
    assert "prompt is empty" in (out / "summary.md").read_text()
    table = run.pq.read_table(out / "generations.parquet")
    asked = [(row["setting"], row["prompt"], row["seed"]) for row in table.to_pylist()]
    assert len(asked) == 8
    assert {each[1:] for each in asked if each[0] == "none"} == {
        each[1:] for each in asked if each[0] == "c1"
    }
    assert all((out / place).is_file() for place in table["audio"].to_pylist())

    make, hear, calls = generating.Studio.make, judging.Jury.hear, []

    def interrupted(work: Any, name: str) -> Any:
        def working(self: Any, batch: generating.Batch, *more: Any) -> Any:
            if calls.count(name) == 2:
                calls.append(name)
                raise KeyboardInterrupt
            calls.append(name)
            return work(self, batch, *more)

        return working

    monkeypatch.setattr(generating.Studio, "make", interrupted(make, "made"))
    monkeypatch.setattr(judging.Jury, "hear", interrupted(hear, "judged"))
    assert CliRunner().invoke(main, [*arguments, str(other)]).exit_code == 130
    assert calls == ["made"] * 3  # two of four batches, and one stop
    assert CliRunner().invoke(main, [*arguments, str(other)]).exit_code == 130
    assert calls == ["made"] * 5 + ["judged"] * 3
    assert CliRunner().invoke(main, [*arguments, str(other)]).exit_code == 2
    assert calls == ["made"] * 5 + ["judged"] * 5
    assert measured(other) == measured(out)
    again = ["evaluate", "--again", str(out)]
    assert "the same audio" in CliRunner().invoke(main, [*again, "3"]).output
    assert "has rows 0 to 7" in CliRunner().invoke(main, [*again, "8"]).output
    part = out / "parts" / f"{table['batch'][3].as_py()}.parquet"
    stored = run.pq.read_table(part)
    origin = json.loads(stored.schema.metadata[b"origin"])
    origin["machine"]["packages"]["torch"] = "1.0"
    origin["sampling"]["num_inference_steps"] = 7
    run.pq.write_table(stored.replace_schema_metadata({"origin": json.dumps(origin)}), part)
    monkeypatch.setattr(reproduce, "audio_hash", lambda sound: "another")
    told = CliRunner().invoke(main, [*again, "3"])
    assert told.exit_code == 2
    assert "torch was 1.0, is " in told.output
    assert "sampling.num_inference_steps was 7, is 2" in told.output


def test_an_audit_that_is_not_whole_says_so(file: Path) -> None:
    for name in ("silent a", "silent b", "silent c"):
        soundfile.write(file.parent / "references" / f"{name}.wav", np.zeros(24_000), 16_000)
    (file.parent / "references" / "broken.wav").write_bytes(b"RIFF")
    file.write_text(file.read_text().replace("count = 2", "count = 1"))
    out = file.parent / "out"
    said = CliRunner().invoke(main, ["evaluate", str(file), "--out", str(out)])
    (warning,) = [line for line in said.output.splitlines() if line.startswith("unheard: warning")]
    assert "references: 4 of 6 reference(s) left out" in warning
    assert "broken.wav (cannot read" in warning
    assert "silent b.wav (" in warning
    assert "silent c" not in warning
    assert "and 1 more" in warning
    manifest = json.loads((out / "manifest.json").read_text())
    assert [*manifest["references"].values()] == [{"used": 2, "left_out": 4}]
    assert "are audited against 2 references, 4 more left out." in (out / "summary.md").read_text()


def test_rows_are_made_again_whatever_another_run_has_begun(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, text = file.parent / "out", file.read_text()
    evaluate, again = ["evaluate", str(file), "--out", str(out)], ["evaluate", "--again", str(out), "3"]
    assert CliRunner().invoke(main, evaluate).exit_code == 2
    rows, said = out / "generations.parquet", (out / "manifest.json").read_text()

    def stopped(self: generating.Studio, batch: generating.Batch) -> None:
        raise KeyboardInterrupt

    file.write_text(text.replace("settings.c1", "settings.other").replace('"A bright bell", ', ""))
    with monkeypatch.context() as patch:
        patch.setattr(generating.Studio, "make", stopped)
        assert CliRunner().invoke(main, evaluate).exit_code == 130
    assert (out / "manifest.json").read_text() == said
    assert "the same audio" in CliRunner().invoke(main, again).output
    table = run.pq.read_table(rows)
    part = out / "parts" / f"{table['batch'][3].as_py()}.parquet"
    part.unlink()
    told = CliRunner().invoke(main, again)
    assert (told.exit_code, part.name in told.output) == (2, True)
    run.pq.write_table(table.replace_schema_metadata(None), rows)
    told = CliRunner().invoke(main, again)
    assert told.exit_code == 2
    assert "do not say what made them" in told.output


def test_what_failed_is_tried_again_and_nothing_else(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, other = file.parent / "out", file.parent / "other"
    evaluate = ["evaluate", str(file), "--out"]
    generate, made = generating.Studio.generate, []

    def failing(self: generating.Studio, batch: generating.Batch) -> Any:
        made.append((batch.setting, batch.seeds))
        if batch.setting == "c1" and 6 in batch.seeds:
            raise ModelError("not finite")
        return generate(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(generating.Studio, "generate", failing)
        told = CliRunner().invoke(main, [*evaluate, str(out)])
        assert "2 sounds failed" in told.output
        before = len(made)
        assert "2 sounds failed" in CliRunner().invoke(main, [*evaluate, str(out)]).output
        assert {setting for setting, _ in made[before:]} == {"c1"}
        assert made[before:][0] == ("c1", (6, 6))
    told = CliRunner().invoke(main, [*evaluate, str(out)])
    assert "generating: 6 of 8 sounds\n" in told.output
    assert "judging: 6 of 8 sounds\n" in told.output
    assert "0 sounds failed" in told.output
    CliRunner().invoke(main, [*evaluate, str(other)])
    assert measured(out) == measured(other)


def test_sounds_of_several_makers_are_told_of(file: Path) -> None:
    out = file.parent / "out"
    evaluate = ["evaluate", str(file), "--out", str(out)]
    assert "other code or versions" not in CliRunner().invoke(main, evaluate).output
    before = measured(out)
    for part, key in zip(sorted((out / "parts").iterdir()), ("torch", "code"), strict=False):
        table = run.pq.read_table(part)
        origin = json.loads(table.schema.metadata[b"origin"])
        assert len(origin["code"]) == 64
        (origin if key == "code" else origin["machine"]["packages"])[key] = "of then"
        run.pq.write_table(table.replace_schema_metadata({"origin": json.dumps(origin)}), part)
    told = CliRunner().invoke(main, evaluate).output
    assert "generating: 8 of 8 sounds\n" in told
    assert "generating: 0 of 8" not in told
    assert "4 of 8 sounds were made by other code or versions than the rest (code, torch)" in told
    assert f"delete {out / 'parts'}" in told
    shutil.rmtree(out / "parts")
    told = CliRunner().invoke(main, evaluate).output
    assert "other code or versions" not in told
    assert "judging: 8 of 8 sounds" in told  # what was said of the others is not said of these
    assert measured(out) == before


def test_settings_are_compared_on_the_same_noise(file: Path) -> None:
    gates = {"shut": 2.0, "open": -1.0}
    file.write_text(
        file.read_text().replace(
            "[[prompts]]",
            "".join(
                f"[settings.{name}]\nguidance = {{kind = 'amg', lambda_min = {at}, lambda_max = {at}}}\n"
                for name, at in gates.items()
            )
            + "[[prompts]]",
        )
    )
    rows = run.evaluate(Experiment.read(file), file.parent / "out").table.to_pylist()
    sounds: dict[str, list[str]] = {}
    for row in rows:
        sounds.setdefault(row["setting"], []).append(row["audio_sha256"])
    assert {row["acted"] for row in rows if row["setting"] == "open"} == {2}
    assert sounds["shut"] == sounds["none"]  # to the last bit: a guidance that never acts changes nothing
    assert not {*sounds["open"]} & {*sounds["none"]}


def test_only_results_are_made_again(tmp_path: Path) -> None:
    told = CliRunner().invoke(main, ["evaluate", "--again", str(tmp_path), "3"])
    assert told.exit_code == 2
    assert "holds no finished results" in told.output


def test_what_is_judged_again_was_not_made_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, text = file.parent / "out", file.read_text()
    evaluate = ["evaluate", str(file), "--out", str(out)]
    assert CliRunner().invoke(main, evaluate).exit_code == 2
    at_once = measured(out)

    def make(self: generating.Studio, batch: generating.Batch) -> generating.Made:
        raise AssertionError("made again")

    monkeypatch.setattr(generating.Studio, "make", make)
    for judgement in (out / "judgements").iterdir():
        judgement.unlink()
    said = CliRunner().invoke(main, evaluate)
    assert "generating: 8 of 8 sounds\n" in said.output
    assert "judging: 8 of 8 sounds" in said.output
    assert measured(out) == at_once

    build_tiny_clap(file.parent / "other judge", seed=7)
    file.write_text(re.sub('judge = ".*"', f'judge = "{file.parent}/other judge"', text))
    assert CliRunner().invoke(main, evaluate).exit_code == 2
    assert measured(out)["clap_score"] != at_once["clap_score"]
    same = ["audio_sha256", "verdict", "guide_nearest_similarity"]
    assert measured(out).select(same) == at_once.select(same)

    file.write_text(text.replace("settings.c1", "settings.renamed"))
    assert CliRunner().invoke(main, evaluate).exit_code == 2
    assert measured(out).drop_columns(["setting"]) == at_once.drop_columns(["setting"])
    assert set(measured(out)["setting"].to_pylist()) == {"none", "renamed"}


def test_what_a_sound_depends_on_makes_another_part(file: Path) -> None:
    text = file.read_text()
    (file.parent / "more").mkdir()
    shutil.copytree(file.parent / "references", file.parent / "more", dirs_exist_ok=True)

    def ids(*changes: tuple[str, str]) -> list[str]:
        changed = text
        for before, after in changes:
            assert before in changed
            changed = changed.replace(before, after)
        file.write_text(changed)
        bench = run.Bench(Experiment.read(file))
        return [batch.id for batch in bench.batches([*bench.experiment.settings])]

    detour = (
        '[settings.c1]\nguidance = {kind = "amg", c2 = 0, c3 = 0}',
        '[settings.c1]\nguidance = "detour"',
    )
    plain, detoured = ids(), ids(detour)
    assert plain[::2] == detoured[::2]
    assert not {*plain[1::2]} & {*detoured}
    assert not {*ids(("num_inference_steps = 2", "num_inference_steps = 3"))} & {*plain}
    assert ids(('judge = "', 'bound = "similar"\njudge = "'), ('held_out = "unseen"\n', "")) == plain
    assert ids(('references = "references"', 'references = "more"')) == plain
    assert ids(('references = "references"', 'references = "more"'), detour) == detoured
    noise = np.random.default_rng(5).uniform(-0.5, 0.5, 24_000)
    soundfile.write(file.parent / "more" / "train_01.wav", noise, 16_000)
    assert ids(('references = "references"', 'references = "more"')) == plain
    other = ids(('references = "references"', 'references = "more"'), detour)
    assert other[::2] == plain[::2]
    assert not {*other[1::2]} & {*detoured}


PLAIN = "[search.plain]\nguidance = {kind = 'none'}\nguidance_scale = {low = 1.0, high = 4.0}\n"


def searching(experiment: str, space: str) -> str:
    """An experiment's text with a space to search in place of its settings, and one prompt."""
    head = experiment[: experiment.index("[settings.none]")]
    return f"{head}{space}[[prompts]]\nlist = ['A bright bell']\n"


@pytest.fixture
def indexless(file: Path, tiny_model_folder: Path) -> Path:
    """The experiment on a model that brings neither index nor embedder, and an index built by the guide."""
    folder = file.parent
    shutil.copytree(tiny_model_folder, folder / "bare")
    (folder / "bare" / "index.json").unlink()
    shutil.move(folder / "bare" / "guide", folder / "ears")
    settings = json.loads((folder / "bare" / "unheard.json").read_text())
    del settings["index"], settings["embedder"], settings["duration"]
    (folder / "bare" / "unheard.json").write_text(json.dumps(settings))
    for recording in (folder / "references").iterdir():
        recording.with_suffix(".txt").write_text(f"A bright bell {recording.stem}")
    built = CliRunner().invoke(
        main, ["index", "build", str(folder / "references"), "--embedder", str(folder / "ears"),
               "--out", str(folder / "training-set"), "--workers", "0"],
    )  # fmt: skip
    assert built.exit_code == 0, built.output
    text = file.read_text().replace(f'model = "{tiny_model_folder}"\nreferences = "references"\n', "")
    text = text.replace("c3 = 0}", "c3 = 0, lambda_min = -1.0, lambda_max = -1.0}")
    file.write_text(f'model = "bare"\nindex = "training-set"\nembedder = "ears"\nduration = 1.0\n{text}')
    return file


def test_an_index_that_was_built_guides_and_judges_on_a_model_that_brings_none(indexless: Path) -> None:
    folder, text = indexless.parent, indexless.read_text()
    out = folder / "out"
    arguments = ["evaluate", str(indexless), "--out", str(out)]
    assert CliRunner().invoke(main, arguments).exit_code == 2  # for the empty prompt
    rows = run.pq.read_table(out / "generations.parquet").to_pylist()
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
    assert identity["index"] == generating.Index.open(folder / "training-set").sha256
    again = CliRunner().invoke(main, ["evaluate", "--again", str(out), "5"])
    assert "the same audio" in again.output

    def ids(before: str, after: str) -> set[str]:
        assert before in text
        indexless.write_text(text.replace(before, after))
        bench = run.Bench(Experiment.read(indexless))
        return {batch.id for batch in bench.batches([*bench.experiment.settings])}

    same = ids('index = "', 'device = "cpu"\ndtype = "float32"\nindex = "')
    assert same == {row["batch"] for row in rows}
    assert not ids("duration = 1.0", "duration = 0.8") & same
    assert not ids('index = "', 'dtype = "bfloat16"\nindex = "') & same
    build_tiny_clap(folder / "ears", seed=7)
    with pytest.raises(IndexFileError, match="was made by"):
        ids('index = "', 'index = "')
    indexless.write_text(text.replace('index = "training-set"\n', ""))
    refused = CliRunner().invoke(main, arguments)
    assert refused.exit_code == 2
    assert "needs an index" in refused.output or "nothing to compare with" in refused.output
    assert run.pq.read_table(out / "generations.parquet").to_pylist() == rows


def test_what_an_index_knows_of_its_recordings_is_not_read_again(
    indexless: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = indexless.parent
    text = re.sub(r'guidance = \{kind = "amg"[^}]*\}', 'guidance = "detour"', indexless.read_text())

    def ids(text: str) -> list[str]:
        indexless.write_text(text)
        bench = run.Bench(Experiment.read(indexless))
        return [batch.id for batch in bench.batches([*bench.experiment.settings])]

    with monkeypatch.context() as patch:
        patch.setattr(generating, "sha256", lambda path: pytest.fail(f"{path} was read"))
        known = ids(text)
    shutil.copytree(folder / "references", folder / "copies")
    assert ids(f'references = "copies"\n{text}') == known
    first = min((folder / "copies").glob("*.wav"))
    first.write_bytes(first.read_bytes() + b"\0")
    assert ids(f'references = "copies"\n{text}') != known


def test_an_index_that_was_built_is_searched_by_tune(indexless: Path) -> None:
    pytest.importorskip("optuna")
    space = "[search.amg.guidance]\nkind = 'amg'\nc1 = {low = 0, high = 8}\nc2 = 0\nc3 = 0\n"
    indexless.write_text(searching(indexless.read_text(), space))
    out = indexless.parent / "out"
    tuned = CliRunner().invoke(main, ["tune", str(indexless), "--trials", "1", "--out", str(out)])
    assert tuned.exit_code == 0, tuned.output
    assert "trial 1 of 1" in tuned.output


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("bound = 'cpoy'", "did you mean 'copy'"),
        ("bound = 'clear'", "unknown key 'clear' in .*bound: .*copy, partial copy, similar"),
        ("bound = 3", "unknown key 3 in .*bound"),
        ("baseline = 3", "unknown key 3 in .*baseline"),
        ("metrics = [3]", "unknown key 3 in .*metrics"),
        ("models = [['tiny']]", "models are"),
        ("seeds = 5", "seeds is 5: give a list"),
        ("seeds = {count = 'x'}", "count of seeds is 'x'"),
        ("seeds = {first = -1}", "first of seeds is -1"),
        ("seeds = ['x']", "seed is 'x'"),
        ("base = 3", "base is 3: give a table"),
        ("settings = 'x'", "settings is 'x': give a table"),
        ("settings.none = 'x'", r"settings\.none is 'x': give a table"),
        ("settings.none.guidance = {kind = ['amg']}", r"unknown guidance \['amg'\]"),
        ("search = [1]", r"search is \[1\]: give a table"),
        ("prompts = 'A bell'", "prompts are 'A bell': give tables"),
        ("prompts = ['A bell']", "give tables"),
        ("prompts = [{list = 'A bell'}]", "give a list of texts"),
        ("prompts = [{list = ['A bell'], group = 3}]", "group of prompts is 3"),
        ("prompts = [{list = ['A bell'], half = 3}]", "unknown key 3 in half"),
    ],
)
def test_a_value_that_cannot_be_used_is_one_line(tmp_path: Path, wrong: str, told: str) -> None:
    path = tmp_path / "wrong.toml"
    rest = {"settings": "[settings.none]\n", "prompts": "[[prompts]]\nlist = ['A bell']\n"}
    path.write_text(wrong + "\n" + "".join(text for key, text in rest.items() if not wrong.startswith(key)))
    with pytest.raises(InputError, match=told):
        Experiment.read(path)


@pytest.mark.parametrize(
    "wrong", ["index = 3", "embedder = ['a']", "duration = 0", "duration = 'x'", "device = 1"]
)
def test_what_the_model_is_loaded_with_is_checked(file: Path, wrong: str) -> None:
    file.write_text(f"{wrong}\n{file.read_text()}")
    with pytest.raises(InputError, match=wrong.split()[0]):
        Experiment.read(file)


def test_prompts_of_duplicates_know_their_recordings(file: Path, tiny_model_folder: Path) -> None:
    folder, ears = file.parent, tiny_model_folder / "guide"
    noise = [np.random.default_rng(seed).uniform(-0.5, 0.5, 48_000) for seed in range(3)]
    sounds = {"sub/kick.wav": 0, "sub/kick again.wav": 0, "loop.v2.wav": 1, "other.wav": 2}
    for name, number in sounds.items():
        path = folder / "training" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, noise[number], 16_000)
        caption = "A kick drum" if "kick" in name else "A loop" if "loop" in name else "Something else"
        path.with_suffix(".txt").write_text(caption)
    for arguments in (
        ["build", str(folder / "training"), "--embedder", str(ears), "--out", str(folder / "built"),
         "--workers", "0"],
        ["duplicates", str(folder / "built"), "--sound-threshold", "0.999999",
         "--out", str(folder / "clusters.json")],
    ):  # fmt: skip
        done = CliRunner().invoke(main, ["index", *arguments])
        assert done.exit_code == 0, done.output
    kinds = {cluster["kind"] for cluster in json.loads((folder / "clusters.json").read_text())["clusters"]}
    assert kinds == {"sound", "caption"}
    for references in ("", 'references = "training"\n'):
        file.write_text(
            f'{references}model = "{tiny_model_folder}"\nindex = "built"\nembedder = "{ears}"\n'
            f'judge = "{ears}"\n[settings.none]\n[[prompts]]\nduplicates = "clusters.json"\n'
        )
        experiment = Experiment.read(file)
        (prompt,) = experiment.prompts  # of both clusters, once
        assert set(prompt.targets) == {"sub/kick.wav", "sub/kick again.wav"}
        bench = run.Bench(experiment)
        first = next(bench.batches(["none"]))
        named = generating.replace(prompt, targets=("loop.v2",))
        batch = generating.replace(first, prompts=(prompt, prompt, named, named), seeds=(0, 1, 2, 3))
        heard = [
            folder / "training" / name for name in ("sub/kick.wav", "other.wav", "loop.v2.wav", "other.wav")
        ]
        rows = [{"audio": f"{number}.flac", "error": None} for number in range(4)]
        flacs = {f"{number}.flac": path.read_bytes() for number, path in enumerate(heard)}
        judged = bench.jury("none").hear(batch, generating.Made(rows, flacs, {}))
        assert [row["verdict"] for row in judged] == ["copy"] * 4
        assert [row["replicated_target"] for row in judged] == [True, False, True, False]
        near = [row["judge_target_similarity"] for row in judged]
        np.testing.assert_allclose([near[0], near[2]], 1, atol=1e-5)
        assert max(near[1], near[3]) < 1


def test_recordings_of_other_names_are_judged_again(file: Path) -> None:
    def names() -> tuple[str, str]:
        bench = run.Bench(Experiment.read(file))
        batch = next(bench.batches(["none"]))
        return batch.id, bench.jury("none").judgement(batch)

    before = names()
    assert names() == before
    (file.parent / "references" / "train_01.wav").rename(file.parent / "references" / "train_02.wav")
    batch, judgement = names()
    assert batch == before[0]
    assert judgement != before[1]


def test_a_recording_is_found_by_its_id_or_else_by_its_files_name() -> None:
    references = ["drums/kick.wav", "loop", "loop.v2", "b.flac"]
    assert recordings_of(["kick", "loop", "loop.v2", "b.flac", "b", "c"], references) == {
        "kick": "drums/kick.wav", "loop": "loop", "loop.v2": "loop.v2", "b.flac": "b.flac", "b": "b.flac",
    }  # fmt: skip


def test_halves_are_of_doses_and_not_of_the_groups_that_they_are_shown_in() -> None:
    def texts(side: str, **more: str) -> list[str]:
        return [p.text for p in read_prompts([{"set": "memorised", "half": side, **more}], Path(), "tiny")[0]]

    assert texts("report", group="all") == texts("report")
    assert not {*texts("report", group="all")} & {*texts("development", group="every")}


def test_a_batch_that_fails_gives_its_other_sounds(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generate = generating.Studio.generate

    def failing(self: generating.Studio, batch: generating.Batch) -> Any:
        if any("bell" in prompt.text for prompt in batch.prompts):
            raise ModelError("not finite")
        return generate(self, batch)

    monkeypatch.setattr(generating.Studio, "generate", failing)
    results = run.evaluate(Experiment.read(file), file.parent / "out")
    rows = results.table.to_pylist()
    assert [row["error"] for row in rows if "bell" in row["prompt"]] == ["not finite"] * 4
    others = [row for row in rows if "bell" not in row["prompt"]]
    assert len({row["audio"] for row in others if (file.parent / "out" / row["audio"]).is_file()}) == 4
    assert all(row["clap_score"] is not None and row["batch_prompts"] == [row["prompt"]] for row in others)


def test_a_batch_that_does_not_fit_into_memory_is_made_sound_by_sound(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode, sizes = StableAudioBackbone.decode, []

    def with_little_memory(self: StableAudioBackbone, latents: torch.Tensor) -> torch.Tensor:
        sizes.append(len(latents))
        if len(latents) > 1 or little:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return decode(self, latents)

    monkeypatch.setattr(StableAudioBackbone, "decode", with_little_memory)
    little = False
    rows = run.evaluate(Experiment.read(file), file.parent / "out").table.to_pylist()
    assert sizes[:3] == [2, 1, 1]
    assert len(rows) == 8
    assert all(row["error"] is None and row["batch_prompts"] == [row["prompt"]] for row in rows)
    little = True
    rows = run.evaluate(Experiment.read(file), file.parent / "none").table.to_pylist()
    assert all(row["audio"] is None for row in rows)
    assert all("out of memory: lower --duration (now 1 s)" in row["error"] for row in rows)


@pytest.mark.parametrize(
    ("wrong", "right"), [("seedz = [1]", "seeds"), ("[base]\nguidence = 'none'", "guidance"),
                         ("[settings.a]\nguidance = {kind = 'amg', c4 = 1}", "c")],
)  # fmt: skip
def test_a_misspelt_key_names_the_nearest(tmp_path: Path, wrong: str, right: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(f"{wrong}\n[settings.none]\n[[prompts]]\nlist = ['A bell']\n")
    with pytest.raises(InputError, match=f"did you mean '{right}"):
        Experiment.read(path)


def test_a_misspelt_metric_names_the_nearest(file: Path) -> None:
    file.write_text("metrics = ['clapscore']\n" + file.read_text())
    with pytest.raises(InputError, match="did you mean 'clap_score'"):
        Experiment.read(file)


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


def test_a_killed_evaluation_resumes_to_the_same_rows(file: Path) -> None:
    out, other = file.parent / "out", file.parent / "other"
    died = subprocess.run(
        [sys.executable, "-c", DIES_WRITING_ITS_THIRD_PART, "evaluate", str(file), "--out", str(out)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, capture_output=True, check=False,
    )  # fmt: skip
    assert died.returncode == -signal.SIGKILL, died.stderr
    kept = {path: path.stat().st_mtime_ns for path in (out / "parts").glob("*.parquet")}
    assert len(kept) == 2
    assert not (out / "generations.parquet").exists()
    for folder in (out, other):
        assert CliRunner().invoke(main, ["evaluate", str(file), "--out", str(folder)]).exit_code == 2
    assert kept == {path: path.stat().st_mtime_ns for path in kept}
    assert measured(out) == measured(other)


def test_sets_are_compared_with_sounds_held_out(file: Path) -> None:
    results = run.evaluate(Experiment.read(file), file.parent / "out")
    assert results.held_out is not None
    assert len(results.held_out) == 3
    assert results.heard == {"c1": "cosine to the nearest training item"}
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


def test_held_out_sounds_are_those_of_a_folder_or_of_the_judges_index(
    tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    judge = run.load_embedder(tiny_model_folder / "guide")
    assert held_out.embed(str(tiny_model_folder / "index.json"), judge).shape == (12, 16)
    write_noise(tmp_path / "sounds", ["a", "b"])
    heard = held_out.embed(str(tmp_path / "sounds"), judge)
    np.testing.assert_allclose(np.linalg.norm(heard, axis=1), 1, rtol=1e-5)
    (tmp_path / "sounds" / "a.wav").unlink()
    with pytest.raises(InputError, match="holds 1 held-out"):
        held_out.embed(str(tmp_path / "sounds"), judge)


def test_what_the_judge_heard_is_kept_by_content(
    tmp_path: Path, tiny_model_folder: Path, tiny_clap_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    judge, other = (run.load_embedder(folder) for folder in (tiny_model_folder / "guide", tiny_clap_folder))
    write_noise(tmp_path / "sounds", ["a", "b", "c"])
    a, b, c = sorted((tmp_path / "sounds").iterdir())
    said: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        said.append((done, total))

    first = hear([a, b], judge, progress)
    assert said == [(0, 2), (1, 2), (2, 2)]
    a = a.rename(a.with_name("z.wav"))
    again = hear([b, a, c], judge, progress)
    assert said[3:] == [(2, 3), (3, 3)]
    np.testing.assert_array_equal(again[:2], first[::-1])
    assert not np.array_equal(hear([a, b], other), first)
    b.write_bytes(c.read_bytes() + b"more")  # a sound of another content, and then one that is none
    c.write_bytes(b"no sound")
    with pytest.raises(InputError, match="cannot read"):
        hear([b, c], judge)
    said.clear()
    hear([b], judge, progress)
    assert not said  # what was heard before the broken one is kept


def test_peak_memory_forgets_what_was_held_before() -> None:
    cpu = torch.device("cpu")
    if not memory.reset_peak(cpu):
        pytest.skip("this system does not reset the high-water mark")
    before = memory.peak(cpu)
    held = np.ones(40_000_000)
    at_most = memory.peak(cpu)
    assert before is not None
    assert at_most is not None
    assert at_most > before + held.nbytes / 2
    del held
    assert memory.reset_peak(cpu)
    later = memory.peak(cpu)
    assert later is not None
    assert later < at_most - 100_000_000


@pytest.mark.parametrize("path", [p for p in EXPERIMENTS if p != ON_A_HUB_MODEL], ids=lambda path: path.stem)
def test_every_experiment_that_is_shipped_can_be_read(path: Path) -> None:
    experiment = Experiment.read(path)
    assert not experiment.refused
    assert experiment.settings or experiment.search


def test_the_papers_ablation_on_a_hub_model_asks_for_an_index_and_its_duplicates(tmp_path: Path) -> None:
    (tmp_path / "experiments").mkdir()
    file = shutil.copy(ON_A_HUB_MODEL, tmp_path / "experiments")
    with pytest.raises(InputError, match=r"duplicates\.json"):
        Experiment.read(file)
    cluster = {"kind": "sound", "prompt": "A drum loop", "ids": ["a", "b"]}
    (tmp_path / "duplicates.json").write_text(json.dumps({"clusters": [cluster]}))
    experiment = Experiment.read(file)
    assert experiment.models == ("stabilityai/stable-audio-open-1.0",)
    assert experiment.index == str(tmp_path / "training-set")
    assert (experiment.embedder, experiment.duration) == ("laion/clap-htsat-unfused", 10.0)
    assert [(prompt.text, prompt.targets) for prompt in experiment.prompts] == [("A drum loop", ("a", "b"))]
    published = {"kind": "amg", "c1": 4, "c2": 3, "c3": 100, "lambda_min": 0.7, "lambda_max": 0.8}
    assert experiment.settings.pop("none")["guidance"] == {"kind": "none"}
    guidances = [options["guidance"] for options in experiment.settings.values()]
    assert all({**published, **dict.fromkeys([k for k in g if not g[k]], 0)} == g for g in guidances)
    on = {tuple(term for term in ("c1", "c2", "c3") if guidance[term]) for guidance in guidances}
    assert on == {("c1",), ("c2",), ("c3",), ("c1", "c2"), ("c1", "c3"), ("c2", "c3"), ("c1", "c2", "c3")}


@pytest.mark.parametrize(
    ("name", "side"),
    [("ablation", "report"), ("detour", "report"), ("published", "report"), ("tune", "development")],
)
def test_experiments_keep_to_their_half(name: str, side: str) -> None:
    experiment = Experiment.read(next(path for path in EXPERIMENTS if path.stem == name))
    halves = split()
    captions = {*halves[side]["memorised"], *halves[side]["ordinary"]}
    assert {prompt.text for prompt in experiment.prompts} <= captions
    assert {*halves[side]["memorised"]} <= {prompt.text for prompt in experiment.prompts}
    assert experiment.seeds[0] == FIRST_SEED[side]
    other = halves["development" if side == "report" else "report"]
    assert not captions & {*other["memorised"], *other["ordinary"]}
    assert experiment.seeds[-1] - FIRST_SEED[side] < abs(other["first_seed"] - FIRST_SEED[side])


def test_tuning_resumes_and_its_presets_are_taken(file: Path, tiny_model_folder: Path) -> None:
    pytest.importorskip("optuna")
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


def test_a_trial_that_was_interrupted_is_taken_up_with_its_values_and_its_batches(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("optuna")
    file.write_text(searching(file.read_text().replace("batch = 2", "batch = 1"), PLAIN))
    make, begun = generating.Studio.make, []

    def stopping(self: generating.Studio, batch: generating.Batch) -> generating.Made:
        begun.append(batch.id)
        if len(begun) == 4:  # the second of the second trial's two
            raise KeyboardInterrupt
        return make(self, batch)

    monkeypatch.setattr(generating.Studio, "make", stopping)
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
    pytest.importorskip("optuna")
    file.write_text(searching(file.read_text(), PLAIN))
    generate, fails = generating.Studio.generate, iter([True] * 6 + [False] + [True] * 99)

    def failing(self: generating.Studio, batch: generating.Batch) -> Any:
        if next(fails):
            raise ModelError("not finite")
        return generate(self, batch)

    monkeypatch.setattr(generating.Studio, "generate", failing)
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
    pytest.importorskip("optuna")
    file.write_text(searching(file.read_text(), PLAIN))
    fails = {"error": "not finite", "replicated": None, "clap_score": None, "seconds": None}
    unheard_of = {"verdict": "not judged", "replicated": None}
    trials = iter([[fails, fails], [fails, unheard_of], [unheard_of, unheard_of], [unheard_of], []])

    def make(bench: run.Bench, names: list[str], *where: Any) -> run.pa.Table:
        row = {"setting": names[0], "group": "listed", "prompt": "A bright bell", "replicated": True,
               "clap_score": 0.5, "seconds": 1.0}  # fmt: skip
        lacking = next(trials)
        rows = [row | {"seed": seed} for seed in range(10)]
        rows = [row | lack for row, lack in zip(rows, lacking, strict=False)] + rows[len(lacking) :]
        return run.pa.Table.from_pylist(rows, schema=run.SCHEMA)

    monkeypatch.setattr(tuning, "make", make)
    with pytest.warns(UserWarning, match="passed over: 2 of 10 sounds") as warned:
        tried = tuning.tune(Experiment.read(file), 2, file.parent / "out")
    assert len([each for each in warned if "passed over" in str(each.message)]) == 3
    assert [each.missing for each in tried] == [1, 0]
    assert [each.number for each in tried] == [3, 4]


@pytest.mark.parametrize(
    ("space", "problem"),
    [
        ("guidance_scale = {low = 3, hihg = 4}", "did you mean 'high'"),
        ("guidance_scale = {low = 4, high = 3}", "is empty"),
        ("guidance_scale = {low = -4, high = 3}", "at least 0"),
        ("guidance = {kind = 'amg', c1 = []}", "choice is empty"),
        ("guidance = {kind = 'amg', lambda_min = {low = 0.1, high = 0.9}}", "above lambda_max"),
        ("guidance = {kind = 'amg', c3 = {low = 0, high = 9, log = true}}", "low above 0"),
    ],
)
def test_a_wrong_space_is_found_out_before_any_trial(tmp_path: Path, space: str, problem: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(f"[search.a]\n{space}\n[[prompts]]\nlist = ['A bell']\n")
    with pytest.raises(InputError, match=problem):
        Experiment.read(path)
