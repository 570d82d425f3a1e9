"""Adding sounds, and the index on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
from click.testing import CliRunner, Result
from corpus import RATE, noise
from stored_rows import content

import unheard.index as verbs
from unheard.cli import main


def test_added_sounds_get_ids_of_their_own(tmp_path: Path, embedder: Any) -> None:
    for name, seed in (("a/kick.wav", 1), ("b/kick.wav", 2)):
        (tmp_path / name).parent.mkdir()
        soundfile.write(tmp_path / name, noise(0.3, seed), RATE)
    index = tmp_path / "index"
    assert verbs.add(index, [tmp_path / "a/kick.wav"], caption="a kick", embedder=embedder).added == 1
    assert verbs.add(index, [tmp_path / "b/kick.wav"], caption="", embedder=embedder).added == 1
    again = verbs.add(index, tmp_path / "a", caption="one more", embedder=embedder)
    assert (again.added, again.redescribed) == (0, 1)
    assert [(row["id"], row["prompt"]) for row in content(index)] == [
        ("kick-2.wav", ""),
        ("kick.wav", "one more"),
    ]
    assert verbs.remove(index, ["kick.wav", "gone"]) == 1


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_from_a_folder_to_an_answer_on_the_command_line(
    corpus: Path, run: Callable[..., Result], guide: Path
) -> None:
    (corpus / "broken.wav").write_text("x")
    built = run("index", "build", corpus, "--out", "mine", "--embedder", guide, "--workers", 0)
    assert built.exit_code == 0, built.output
    assert "mine: 12 added, 1 left out" in built.stdout
    assert "9 without caption" not in built.stdout
    assert "8 without caption" in built.stdout
    assert "mine/rejects.jsonl" in built.stdout
    again = json.loads(run("index", "build", corpus, "--out", "mine", "--embedder", guide, "--json").stdout)
    assert (again["unchanged"], again["added"]) == (12, 0)

    sound = next(path for path in corpus.rglob("*.wav") if path.name != "broken.wav")
    found = json.loads(
        run("index", "search", "mine", "--audio", sound, "-k", 3, "--embedder", guide, "--json").stdout
    )
    assert len(found["nearest"]) == 3
    assert found["nearest"][0]["id"] == sound.relative_to(corpus).as_posix()
    assert (
        len(run("index", "search", "mine", "--text", "a bell", "--embedder", guide).stdout.splitlines()) == 10
    )
    info = run("index", "info", "mine").stdout
    assert "12 items" in info
    assert "guide (16 numbers, 16,000 Hz, windows of 1 s" in info
    assert json.loads(run("index", "info", "mine", "--json").stdout)["items"] == 12
    assert run("index", "verify", "mine").stdout == "mine: no problems found\n"

    exported = run("index", "export", "mine", "--out", "mine.json")
    assert exported.exit_code == 0, exported.output
    assert run("index", "import", "mine.json", "--out", "back").exit_code == 0
    assert json.loads(run("index", "info", "back", "--json").stdout)["items"] == 12
    assert run("index", "add", "back", sound, "--caption", "x", "--embedder", guide).exit_code == 0
    removed = run("index", "remove", "mine", sound.relative_to(corpus).as_posix(), "gone")
    assert removed.stdout == "mine: 1 of 2 removed\n"
    assert run("index", "remove", "mine.json", sound.relative_to(corpus).as_posix()).exit_code == 0
    assert json.loads(run("index", "info", "mine.json", "--json").stdout)["items"] == 11


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("build", "gone", "--out", "x"), "gone does not exist"),
        (("build", "."), "Missing option '-o' / '--out'"),
        (("build", ".", "--out", "sounds"), "other things in it"),
        (("build", ".", "--out", "x", "--captions", "c.txt"), "CSV, JSON Lines or Parquet"),
        (("info", "gone"), "gone is no index"),
        (("verify", "gone"), "gone is no index"),
        (("search", "gone", "--text", "x"), "gone is no index"),
        (("search", "gone"), "a sound or by a text"),
        (("search", "gone", "--text", " "), "text to search by is empty"),
        (("remove", "gone", "1"), "gone is no index"),
        (("export", "gone", "--out", "x.json"), "gone is no index"),
        (("import", "gone.json", "--out", "x"), "gone.json"),
    ],
)
def test_mistakes_are_one_line(
    corpus: Path, run: Callable[..., Result], arguments: tuple[str, ...], message: str
) -> None:
    result = run("index", *arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not Path("x").exists()
