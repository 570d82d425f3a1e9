"""`unheard audit --json`, its published schema, and `unheard audit compare`."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result
from replaying import RECORDINGS

import unheard.auditing
from unheard.auditing import Audit, FileAudit, Match, Part
from unheard.auditing.auditor import Auditor
from unheard.cli import main
from unheard.cli.audit_output import by_prompt
from unheard.generation.replication_rate import PromptReplication, Rate, RateOfPrompts, Replication

SCHEMA = json.loads((Path(unheard.auditing.__file__).parent / "audit.schema.json").read_text())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("catalogue", "out"):
        Path(name).mkdir()
    for name in ("00001", "00017"):
        shutil.copy(RECORDINGS / f"{name}.flac", "catalogue")
    soundfile.write("out/noise.wav", np.random.default_rng(0).normal(0, 0.1, 48_000), 16_000)
    soundfile.write("out/silent.wav", np.zeros(48_000), 16_000)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["audit", *arguments])


def test_an_audit_goes_on_where_it_was_stopped_and_two_are_compared(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge, judged = Auditor.judge, []

    def counted(self: Auditor, sound: Any, name: str | None = None) -> FileAudit:
        judged.append(Path(sound).name)
        return judge(self, sound, name)

    monkeypatch.setattr(Auditor, "judge", counted)
    first = run("out", "--references", "catalogue", "--json")
    Path("before.json").write_text(first.stdout)
    shutil.copy(RECORDINGS / "00001.flac", "out/replay.flac")
    second = run("out", "--references", "catalogue", "--json")
    Path("after.json").write_text(second.stdout)
    assert judged == ["noise.wav", "silent.wav", "replay.flac", "silent.wav"]
    for printed in (first, second):
        jsonschema.validate(json.loads(printed.stdout), SCHEMA)
    assert "1 sound judged before" in run("out/noise.wav", "--references", "catalogue").stdout

    same = run("compare", "before.json", "before.json")
    assert (same.exit_code, same.stdout) == (0, "0 new, 0 gone, 0 changed, 2 the same\n")
    worse = run("compare", "before.json", "after.json")
    assert worse.exit_code == 3
    assert worse.stdout.startswith("new      out/replay.flac: copy\n")
    better = run("compare", "after.json", "before.json", "--json")
    assert better.exit_code == 1
    assert json.loads(better.stdout)["gone"] == {"out/replay.flac": "copy"}
    refused = run("compare", "before.json", "out/noise.wav")
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert refused.stderr.startswith("unheard: out/noise.wav is not what `unheard audit --json` prints (")
    assert refused.stderr.endswith("): give a file that it printed\n")


def test_title_and_notes_are_for_a_report(folder: Path) -> None:
    refused = run("out", "--references", "catalogue", "--case", "2026-117")
    assert refused.exit_code == 2
    assert "--case is for a report: give --report PATH with it" in refused.stderr
    assert run("out", "--references", "catalogue", "--report", "r.html", "--title", "March").exit_code == 0
    assert "<title>March</title>" in Path("r.html").read_text()


def test_the_schema_names_every_field() -> None:
    for name, kind in {"file": FileAudit, "match": Match, "part": Part}.items():
        assert SCHEMA["$defs"][name]["required"] == [field.name for field in fields(kind)]
    assert set(SCHEMA["required"]) == {field.name for field in fields(Audit)} | {"verdict"}


def test_the_counts_of_a_model_are_as_the_schema_says() -> None:
    rate = Rate.of(["copy", "clear", "not judged"], "copy")
    prompt = PromptReplication("A bell", (0, 1, 2), (FileAudit("a", "copy"),) * 3, rate, None)
    counted = Replication("tiny", "copy", True, RateOfPrompts.of_prompts([rate]), (prompt,), Audit(()))
    part = {"$ref": "#/$defs/replication", "$defs": SCHEMA["$defs"]}
    jsonschema.validate(json.loads(json.dumps(by_prompt(counted))), part)
