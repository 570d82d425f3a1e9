"""`unheard audit --prompts`: how often a model replays, whenever it ends."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from replaying import RECORDING, replaying_model

import unheard
import unheard.generation.model
from unheard.auditing.auditor import Auditor
from unheard.cli import main
from unheard.generation.model import Model


def test_prompts_on_the_command_line(loaded: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(unheard.generation.model, "load", lambda *_, **__: replaying_model(loaded))
    Path("p.txt").write_text("A bell\nA soft pad with strings, 90 bpm!\nA bell\n")
    line = "audit --prompts p.txt --seeds 4 --no-guidance --duration 3 --batch 2 --report r"
    arguments = [*line.split(), "--model", loaded.name, "--references", str(RECORDING)]
    result = CliRunner().invoke(main, [*arguments, "--json", "--fail-on", "copy"])
    assert result.exit_code == 3, result.output
    found = json.loads(result.stdout)
    assert [file["verdict"] for file in found["files"]] == ["copy", "copy", "clear", "clear"] * 2
    assert found["replication"]["rate"] == 0.5
    assert (found["replication"]["prompts_replayed"], found["replication"]["prompts_judged"]) == (2, 2)
    assert found["replication"]["not_told"] == {}
    assert [each["seeds"] for each in found["replication"]["prompts"]] == [[0, 1, 2, 3]] * 2
    assert all(each["risk"] > 0 for each in found["replication"]["prompts"])
    names = sorted(path.name for path in Path("r/sounds").glob("*.wav"))
    assert names[4] == "0005 A soft pad with strings, 90 bpm, seed 0.wav"
    findings = {path.name for path in Path("r/findings").glob("[0-9]*.js")}
    assert findings == {f"{n}-0.js" for n in (0, 1, 4, 5)} | {f"{n}.js" for n in (2, 3, 6, 7)}
    again = [each.replace("--report", "--output") for each in arguments]
    again[again.index("r")] = "r/sounds"  # these sounds, of the same request
    assert "it is there already" in CliRunner().invoke(main, [*again, "--batch", "1"]).stderr
    result = CliRunner().invoke(main, again)
    assert re.search(r"2/4 +A bell +7% to 93%", result.stdout), result.stdout
    assert "without guidance replays 2 of 2 prompts (95 % confidence: 16% to 100% of" in result.stdout
    assert "and 4 of 8 judged sounds: 50.0% (15.7% to 84.3%; they say as much as 8 ind" in result.stdout


@pytest.mark.parametrize("during", ["generating", "measuring"])
def test_ctrl_c_keeps_the_rates(
    loaded: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, during: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(unheard.generation.model, "load", lambda *_, **__: replaying_model(loaded))
    measure, calls = unheard.generation.replication_rate.prompt_pull, 0

    def interrupted(*arguments: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return measure(*arguments, **options)  # type: ignore[arg-type]

    judge = Auditor.judge

    def stopped(auditor: Auditor, sound: object, name: str | None = None) -> object:
        if name == "sound 4":
            raise KeyboardInterrupt
        return judge(auditor, sound, name)  # type: ignore[arg-type]

    if during == "generating":
        monkeypatch.setattr(Auditor, "judge", stopped)
    else:
        monkeypatch.setattr(unheard.generation.replication_rate, "prompt_pull", interrupted)
    Path("p.txt").write_text("A bell\nA soft pad\n")
    line = "audit --prompts p.txt --seeds 2 --no-guidance --duration 3 --batch 2 --json --csv n.csv"
    arguments = [*line.split(), "--model", loaded.name, "--references", str(RECORDING)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 130
    found = json.loads(result.stdout)["replication"]
    assert found["prompts"][0]["verdicts"] == ["copy", "copy"]
    if during == "generating":
        assert (found["replayed"], found["judged"]) == (2, 3)
        assert [each["seeds"] for each in found["prompts"]] == [[0, 1], [0, 1]]
        assert found["prompts"][1]["verdicts"][1] == "not judged"
        assert found["not_told"] == {"not judged": 1}
    else:
        assert (found["replayed"], found["judged"]) == (2, 4)
        assert [each["risk"] is None for each in found["prompts"]] == [False, True]
    assert Path("n.csv").exists()
