"""Judges: what a verdict depends on, and which recordings it is about."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import soundfile
from click.testing import CliRunner

from unheard.auditing.references import recordings_of
from unheard.cli import main
from unheard.evaluation.batch import Generated
from unheard.evaluation.experiment import Experiment
from unheard.evaluation.local_engine import LocalEngine


def test_an_audit_that_is_not_whole_says_so(file: Path) -> None:
    for name in ("silent a", "silent b", "silent c"):
        soundfile.write(file.parent / "references" / f"{name}.wav", np.zeros(24_000), 16_000)
    (file.parent / "references" / "broken.wav").write_bytes(b"RIFF")
    file.write_text(file.read_text().replace("count = 2", "count = 1"))
    out = file.parent / "out"
    said = CliRunner().invoke(main, ["evaluate", str(file), "--out", str(out)])
    (warning,) = [line for line in said.output.splitlines() if line.startswith("unheard: warning")]
    assert "references: 4 of 6 references left out" in warning
    assert "broken.wav (cannot read" in warning
    assert "silent b.wav (" in warning
    assert "silent c" not in warning
    assert "and 1 more" in warning
    manifest = json.loads((out / "manifest.json").read_text())
    assert [*manifest["references"].values()] == [{"used": 2, "left_out": 4}]
    assert "are audited against 2 references, 4 more left out." in (out / "summary.md").read_text()


def test_prompts_of_duplicates_know_their_recordings(file: Path, tiny_model_folder: Path) -> None:
    folder, embedder = file.parent, tiny_model_folder / "guide"
    noise = [np.random.default_rng(seed).uniform(-0.5, 0.5, 48_000) for seed in range(3)]
    sounds = {"sub/kick.wav": 0, "sub/kick again.wav": 0, "loop.v2.wav": 1, "other.wav": 2}
    for name, number in sounds.items():
        path = folder / "training" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, noise[number], 16_000)
        caption = "A kick drum" if "kick" in name else "A loop" if "loop" in name else "Something else"
        path.with_suffix(".txt").write_text(caption)
    for arguments in (
        ["build", str(folder / "training"), "--embedder", str(embedder), "--out", str(folder / "built"),
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
            f'{references}model = "{tiny_model_folder}"\nindex = "built"\nembedder = "{embedder}"\n'
            f'judge = "{embedder}"\n[settings.none]\n[[prompts]]\nduplicates = "clusters.json"\n'
        )
        experiment = Experiment.read(file)
        (prompt,) = experiment.prompts  # of both clusters, once
        assert set(prompt.targets) == {"sub/kick.wav", "sub/kick again.wav"}
        local = LocalEngine(experiment)
        first = next(local.batches(["none"]))
        named = replace(prompt, targets=("loop.v2",))
        batch = replace(first, prompts=(prompt, prompt, named, named), seeds=(0, 1, 2, 3))
        recordings = [
            folder / "training" / name for name in ("sub/kick.wav", "other.wav", "loop.v2.wav", "other.wav")
        ]
        rows = [{"audio": f"{number}.flac", "error": None} for number in range(4)]
        flacs = {f"{number}.flac": path.read_bytes() for number, path in enumerate(recordings)}
        judged = local.judges("none").judge(batch, Generated(rows, flacs, {}))
        assert [row["verdict"] for row in judged] == ["copy"] * 4
        assert [row["replicated_target"] for row in judged] == [True, False, True, False]
        near = [row["judge_target_similarity"] for row in judged]
        np.testing.assert_allclose([near[0], near[2]], 1, atol=1e-5)
        assert max(near[1], near[3]) < 1


def test_recordings_of_other_names_are_judged_again(file: Path) -> None:
    def names() -> tuple[str, str]:
        local = LocalEngine(Experiment.read(file))
        batch = next(local.batches(["none"]))
        return batch.id, local.judges("none").judgement_id(batch)

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


def test_an_index_of_embeddings_alone_is_reported_as_the_paper_does(file: Path) -> None:
    text = file.read_text().replace('references = "references"\n', "").replace("count = 2", "count = 1")
    file.write_text(text)
    out = file.parent / "out"
    said = CliRunner().invoke(main, ["evaluate", str(file), "--out", str(out)])
    assert said.exit_code == 2, said.output  # for one of its prompts is refused
    warnings = [line for line in said.output.splitlines() if line.startswith("unheard: warning")]
    assert "without recordings no copy is found" in warnings[0]
    assert "does not say where its sounds lie: name them (--references" in warnings[0]
    rows = [row for row in pq.read_table(out / "generations.parquet").to_pylist() if row["error"] is None]
    for row in rows:
        assert -1 <= row["guide_nearest_similarity"] <= 1
        assert -1 <= row["clap_score"] <= 1
        assert (row["verdict"], row["replicated"], row["judge_nearest_similarity"]) == (None, None, None)
        assert row["onsets"] is not None
    page = (out / "summary.md").read_text()
    assert "are not audited, for there are no recordings: whether one is a copy is left open" in page


def test_recordings_that_are_named_are_never_passed_over(file: Path) -> None:
    for path in (file.parent / "references").iterdir():
        path.write_bytes(b"RIFF")
    said = CliRunner().invoke(main, ["evaluate", str(file), "--out", str(file.parent / "out")])
    assert said.exit_code == 2
    assert "no reference can be used" in said.output
