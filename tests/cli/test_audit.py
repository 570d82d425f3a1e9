"""`unheard audit` as a user meets it."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result
from replaying import RECORDINGS

from unheard.auditing import Match
from unheard.auditing.auditor import Auditor
from unheard.cli import main
from unheard.errors import InputError


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the program in a folder with a catalogue of three and four sounds to judge."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for folder in ("catalogue", "out"):
        (tmp_path / folder).mkdir()
    for name in ("00000", "00001", "00017"):
        (tmp_path / "catalogue" / f"{name}.flac").write_bytes((RECORDINGS / f"{name}.flac").read_bytes())
    (tmp_path / "out" / "replay.flac").write_bytes((RECORDINGS / "00001.flac").read_bytes())
    soundfile.write("out/noise.wav", np.random.default_rng(0).normal(0, 0.1, 48_000), 16_000)
    soundfile.write("out/silent.wav", np.zeros(48_000), 16_000)
    Path("out/torn.wav").write_text("no sound")
    return lambda *arguments: CliRunner().invoke(main, ["audit", *map(str, arguments)])


def refused(result: Result, message: str) -> None:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert re.search(message, result.stderr), result.stderr


VERDICTS = {"noise.wav": "clear", "replay.flac": "copy", "silent.wav": "not judged", "torn.wav": "not judged"}


def test_the_table_names_verdict_reference_and_reason(run: Callable[..., Result]) -> None:
    result = run("out", "--references", "catalogue")
    assert result.exit_code == 0, result.stderr
    lines = {
        Path(words[0]).name: line
        for line in result.stdout.splitlines()
        if (words := re.findall(r"out/\S+", line))
    }
    assert {name: line.strip().startswith(VERDICTS[name]) for name, line in lines.items()} == dict.fromkeys(
        VERDICTS, True
    )
    assert "00001.flac" in lines["replay.flac"]
    assert "100%" in lines["replay.flac"]
    assert "silent" in lines["silent.wav"]
    assert "cannot read out/torn.wav" in lines["torn.wav"]
    assert "4 sounds against 3 references of catalogue: 1 copy, 1 clear, 2 not judged" in result.stdout
    assert "judging: 4 of 4 sounds" in result.stderr


def test_json_is_one_object_with_every_number(run: Callable[..., Result]) -> None:
    result = run("out", "--references", "catalogue", "--json")
    assert result.stderr == ""
    found = json.loads(result.stdout)
    assert {Path(file["path"]).name: file["verdict"] for file in found["files"]} == VERDICTS
    assert found["verdict"] == "copy"
    by_name = {Path(file["path"]).name: file for file in found["files"]}
    match = by_name["replay.flac"]["matches"][0]
    assert set(match) == {each.name for each in fields(Match)}
    assert (match["reference"], match["shift"], match["stretch"], match["transposition"]) == (
        "00001.flac",
        0,
        1,
        0,
    )
    assert by_name["replay.flac"]["score"] == match["score"] > by_name["noise.wav"]["score"]
    assert {"catalogue", "settings", "calibration", "versions"} <= set(found)


def test_csv_has_a_row_a_match(run: Callable[..., Result]) -> None:
    assert run("out", "--references", "catalogue", "--csv", "n.csv").exit_code == 0
    with open("n.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    best = {Path(row["path"]).name: row for row in rows if row["rank"] in ("1", "")}
    assert {name: row["verdict"] for name, row in best.items()} == VERDICTS
    assert best["replay.flac"]["match_verdict"] == "copy"
    assert float(best["replay.flac"]["match_score"]) == float(best["replay.flac"]["score"])
    assert best["silent.wav"]["reference"] == ""
    assert "silent" in best["silent.wav"]["reason"]


@pytest.mark.parametrize(
    ("sounds", "bound", "code"),
    [
        ("out", "copy", 3),
        ("out/noise.wav", "copy", 0),
        ("out/silent.wav", "similar", 4),
        ("out/silent.wav", "untold", 4),
        ("out/*.flac", "similar", 3),
        ("out/*.flac", "untold", 0),
    ],
)
def test_fail_on_is_for_pipelines(run: Callable[..., Result], sounds: str, bound: str, code: int) -> None:
    result = run(sounds, "--references", "catalogue", "--fail-on", bound)
    assert result.exit_code == code
    assert (f"1 of {'4 sounds' if sounds == 'out' else '1 sound'} failed: 1 copy" in result.stderr) == (
        code == 3
    )
    untold = sounds == "out" or "silent" in sounds
    assert ("cannot be told from copies" in result.stderr) == untold
    accepted = run(sounds, "--references", "catalogue", "--fail-on", bound, "--accept-untold")
    assert accepted.exit_code == (3 if code == 3 else 0)


def test_patterns_that_no_shell_expanded(run: Callable[..., Result]) -> None:
    result = run("out/*.wav", "--references", "catalogue/*.flac", "--json")
    assert [Path(file["path"]).name for file in json.loads(result.stdout)["files"]] == [
        "noise.wav", "silent.wav", "torn.wav",
    ]  # fmt: skip


def test_without_references_the_model_brings_them(run: Callable[..., Result]) -> None:
    result = run("out/replay.flac", "--json")
    found = json.loads(result.stdout)
    assert found["catalogue"]["items"] == 60
    match = found["files"][0]["matches"][0]
    assert (match["reference"], match["caption"]) == ("00001", "Lonely trumpet call over an empty square")
    assert match["embedding_similarity"] == pytest.approx(1, abs=1e-3)
    assert set(match["found_by"]) >= {"fingerprint", "embedding"}


def test_an_index_in_json_names_no_sounds(run: Callable[..., Result], tiny_model_folder: Path) -> None:
    index = tiny_model_folder / "index.json"
    refused(
        run("out", "--index", index, "--embedder", tiny_model_folder / "guide"),
        "does not say where its sounds lie: name them",
    )


def test_ctrl_c_keeps_what_is_judged(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    judge, calls = Auditor.judge, 0

    def interrupted(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return judge(*arguments)

    monkeypatch.setattr(Auditor, "judge", interrupted)
    result = run("out", "--references", "catalogue", "--json", "--csv", "n.csv", "--report", "r.html")
    assert result.exit_code == 130
    assert "interrupted; what was finished is saved" in result.stderr
    files = json.loads(result.stdout)["files"]
    assert [(Path(file["path"]).name, file["reason"]) for file in files] == [
        ("noise.wav", None),
        ("replay.flac", None),
        ("silent.wav", "the audit was interrupted before it"),
        ("torn.wav", "the audit was interrupted before it"),
    ]
    assert files[-1]["verdict"] == "not judged"
    for written in ("n.csv", "r.html"):
        assert "interrupted before it" in Path(written).read_text()


@pytest.mark.parametrize("option", ["--csv", "--report"])
def test_a_full_disk_does_not_cost_what_was_judged(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise InputError("cannot write there: No space left on device; choose another path")

    monkeypatch.setattr("unheard.cli.audit.write_csv", full)
    monkeypatch.setattr("unheard.auditing.report.report.write_report", full)
    result = run("out/replay.flac", "--references", "catalogue", "--json", option, "r.html")
    assert result.exit_code == 2
    assert "No space left on device" in result.stderr
    assert [file["verdict"] for file in json.loads(result.stdout)["files"]] == ["copy"]


def test_a_reference_that_cannot_be_read_is_said(run: Callable[..., Result]) -> None:
    Path("catalogue/torn.wav").write_text("no sound")
    result = run("out/noise.wav", "--references", "catalogue")
    assert result.exit_code == 0
    assert re.search(r"warning: of 4 references, 1 left out: .*\(torn\.wav\)", result.stderr)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to audit"),
        (("out", "--prompts", "p.txt"), "nothing to audit.*not both"),
        (("nowhere",), "cannot read nowhere: it does not exist"),
        (("out/*.mp3",), r"cannot read out/\*\.mp3: it matches nothing"),
        (("out", "--references", "nowhere"), "cannot read nowhere: it does not exist"),
        (("out", "--seeds", "3"), "--seeds is for generating"),
        (("out", "--no-guidance"), "--no-guidance is for generating"),
        (("out", "--fail-on", "clear"), "'clear' is not one of"),
        (("out", "--csv", "out"), "cannot write out: it is a folder"),
        (("out", "--csv", "no/n.csv"), "cannot write to no: it does not exist"),
        (("out", "--report", "out/noise.wav"), "out/noise.wav: it is a file"),
        (("out", "--report", "no/r.html"), "the folder no does not exist"),
        (("out", "--index", "nowhere.json"), "nowhere.json"),
        (("out", "--model", "gigantic"), "unknown model 'gigantic'"),
        (("--prompts", "nowhere.txt"), "cannot read nowhere.txt"),
        (("empty",), "no sound in the folder empty"),
    ],
)
def test_mistakes_are_found_out_before_anything_is_judged(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("judged before the mistake was found out")

    monkeypatch.setattr(Auditor, "judge", never)
    Path("empty").mkdir()
    refused(run(*arguments), message)
