"""What is printed never acts on the terminal, and a terminal or file that takes nothing is one line."""

from __future__ import annotations

import ast
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text
from tiny_world import build_index

import unheard.cli
from unheard.cli import main
from unheard.cli.console import SafeConsole
from unheard.cli.terminal import one_line, visible

ACTING = "cap \x1b]0;TITLE\x07\x1b[2J\x9b2J \u202ereversed\u2066 \r\x08 \u2028"
SHOWN = r"cap \u001b]0;TITLE\u0007\u001b[2J\u009b2J \u202ereversed\u2066 \r\b \u2028"


def test_what_acts_on_a_terminal_is_escaped() -> None:
    assert visible(ACTING) == SHOWN
    assert visible("größer 日本 é\u0301 👩\u200d🚀\n\t") == "größer 日本 é\u0301 👩\u200d🚀\n\t"
    assert one_line("a\nb\tc") == r"a\nb\tc"
    assert visible("na\udcefve.wav") == r"na\udcefve.wav"


@given(st.text())
def test_json_stays_the_same_json(text: str) -> None:
    assert json.loads(visible(json.dumps({"caption": text}, ensure_ascii=False))) == {"caption": text}


def test_tables_show_it_escaped_and_keep_their_own_colours() -> None:
    file = io.StringIO()
    console = SafeConsole(file=file, force_terminal=True, width=200, color_system="standard")
    table = Table()
    table.add_column("sound")
    table.add_row(Text(ACTING.replace("\r", "").replace("\x08", ""), "red"))
    console.print(table)
    assert "\x1b[31m" in file.getvalue()
    assert "\x1b]0;" not in file.getvalue()
    assert r"\u001b]0;TITLE" in file.getvalue()


def test_captions_and_names_are_escaped(run: Callable[..., Result], tiny_model_folder: Path) -> None:
    index = build_index(Path("index.json"), seed=1)
    entries = json.loads(index.read_text())
    for entry in entries.values():
        entry["conditioning"]["prompt"] = ACTING + "\n0.999  another line"
    index.write_text(json.dumps(entries))
    search = ("index", "search", index, "--text", "x", "--embedder", tiny_model_folder / "guide", "-k", 1)
    result = run(*search)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.count("\n") == 1
    assert SHOWN in result.stdout
    found = json.loads(run(*search, "--json").stdout)
    assert found["nearest"][0]["prompt"] == ACTING + "\n0.999  another line"
    refused = run("index", "info", "no\x1b[2Jsuch.json")
    assert r"no\u001b[2Jsuch.json" in refused.stderr


def test_nothing_else_prints() -> None:
    for path in Path(unheard.cli.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and path.name not in ("terminal.py", "console.py"):
                called = ast.unparse(node.func)
                assert called not in ("print", "click.echo", "click.secho", "Console"), f"{path}: {called}"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("stream", ["stdout", "stderr", "both"])
def test_a_full_disk_behind_the_output_is_one_line(stream: str) -> None:
    arguments = ["models"] if stream == "stdout" else ["generate"]
    with open("/dev/full", "w") as full:
        to = {"stdout": full, "stderr": full} if stream == "both" else {stream: full}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.run([sys.executable, "-m", "unheard", *arguments], text=True, **(pipes | to))
    assert process.returncode == 2
    if stream == "stdout":
        assert process.stderr == "unheard: the output fails: No space left on device\n"


def test_an_encoding_that_lacks_a_character_does_not_end_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_index(tmp_path / "ü\u202e.json", seed=1)
    monkeypatch.chdir(tmp_path)
    for stream in ("stdout", "stderr"):  # as Python opens them under PYTHONIOENCODING=ascii
        monkeypatch.setattr(sys, stream, io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    with pytest.raises(SystemExit) as ended:
        main(["index", "info", "ü\u202e.json"])
    assert ended.value.code == 0
    sys.stdout.seek(0)
    assert sys.stdout.read().startswith(r"\xfc\u202e.json: ")
