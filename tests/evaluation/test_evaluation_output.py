"""The table that `unheard evaluate` prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from unheard.cli.evaluation_output import COUNTS, NAMES, output
from unheard.evaluation.metrics import METRICS


def test_every_metric_has_a_name_for_people() -> None:
    assert {*NAMES} == {*METRICS}


@pytest.mark.parametrize(("columns", "beside"), [(90, True), (60, False)])
def test_an_interval_is_below_where_the_terminal_is_narrow(
    columns: int, beside: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("FORCE_COLOR", "1")  # a terminal
    entry = {"group": "all", "metric": "clap_score", "value": 0.5, "low": 0.25, "high": 0.75}
    output([{**entry, "setting": name, **dict.fromkeys(COUNTS, 2)} for name in "ab"], Path("out"))
    shown = "\n".join(line.rstrip() for line in capsys.readouterr().out.splitlines())
    assert ("0.50 (0.25 to 0.75)" in shown) == beside
    assert shown.count("(0.25 to 0.75)") == 2


def test_the_table_has_a_row_a_metric_and_a_column_a_setting(finished: object) -> None:
    lines = [line.rstrip() for line in finished.output.splitlines()]
    heading = next(line for line in lines if line.strip().startswith("all prompts"))
    settings = heading.split()[2:]
    assert "none" in settings
    row = next(line for line in lines if "fit to the prompt (CLAP score)" in line)
    assert row.strip().startswith("↑")
    assert any(line.strip().startswith("↓ copied or collapsed") for line in lines)
    assert any("↓ less is better, ↑ more is better" in line for line in lines)
    assert any(line.startswith("every number: ") and "summary.md" in line for line in lines)
    assert not any("not measured" in line for line in lines)
