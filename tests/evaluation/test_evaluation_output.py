"""The table that `unheard evaluate` prints."""

from __future__ import annotations

from unheard.cli.evaluation_output import NAMES
from unheard.evaluation.metrics import METRICS


def test_every_metric_has_a_name_for_people() -> None:
    assert {*NAMES} == {*METRICS}


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
