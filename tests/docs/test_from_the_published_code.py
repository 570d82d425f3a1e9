"""The page for those who come from the published code: what it shows is what comes out."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from command_line import run
from pages import blocks
from published_script import PAGE, SCRIPT

from unheard.cli.published.names import NAMES


def test_the_shown_import_gives_what_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("amg_infer.py").write_text(SCRIPT)
    shown = [token.content for token in blocks(PAGE) if token.type == "fence" and "$ " in token.content]
    for command, _, output in (block.removeprefix("$ ").partition("\n") for block in shown):
        result = run(*shlex.split(command)[1:])
        assert result.exit_code == 0, result.stderr
        assert result.stdout == output
    assert Path("preset.json").is_file()


def test_the_table_of_names_is_the_one_that_the_command_line_has() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in NAMES:
        option = "nothing" if name.option is None else f"`{name.option}`"
        assert f"| `{name.name}` | {option} | {name.note} |" in text
