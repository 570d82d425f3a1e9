"""Defaults from the environment, and what a shell completes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result
from command_line import commands
from pages import ROOT
from tiny_world import build_index

from unheard.cli import main
from unheard.cli.completion import word
from unheard.generation import provenance


@pytest.fixture
def short() -> tuple[str, ...]:
    return ("--duration", "0.2", "--num-inference-steps", "2")


def test_options_that_are_not_given_come_from_the_environment(
    run: Callable[..., Result],
    tiny_model_folder: Path,
    tmp_path: Path,
    short: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    index = build_index(tmp_path / "index.json", seed=9)
    for name, value in {"MODEL": tiny_model_folder, "INDEX": index, "DEVICE": "cpu"}.items():
        monkeypatch.setenv(f"UNHEARD_{name}", str(value))
    assert run("generate", "a bell", *short).exit_code == 0
    record = provenance.read("audio.json")
    assert (record["model"]["name"], record["index"]["given"]) == (str(tiny_model_folder), str(index))
    monkeypatch.setenv("UNHEARD_DEVICE", "cuda:99")
    result = run("generate", "a bell", *short)
    assert result.exit_code == 2
    assert "cuda:99" in result.stderr
    assert run("generate", "a bell", *short, "--device", "cpu").exit_code == 0


def test_a_record_comes_before_the_environment(
    run: Callable[..., Result],
    tiny_model_folder: Path,
    short: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run("generate", "a bell", "--model", tiny_model_folder, *short)
    monkeypatch.setenv("UNHEARD_MODEL", "no/such-model")
    result = run("generate", "--from", "audio.json", "-o", "again.wav")
    assert result.exit_code == 0, result.stderr
    assert "the same bytes" in result.stderr


def test_threads_sleep_while_they_wait_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for given, expected in ((None, "PASSIVE"), ("ACTIVE", "ACTIVE")):
        monkeypatch.setattr(os, "environ", {} if given is None else {"OMP_WAIT_POLICY": given})
        CliRunner().invoke(main, ["--version"])
        assert os.environ["OMP_WAIT_POLICY"] == expected


def completed(*words: str) -> list[tuple[str, str]]:
    """What a shell is offered for the last word: values, with their kind."""
    shell = ShellComplete(main, {}, "unheard", "_UNHEARD_COMPLETE")
    offered = shell.get_completions([*words[:-1]], words[-1])
    return [(each.value, each.type) for each in offered]


def test_models_kinds_and_files_are_completed() -> None:
    assert ("tiny", "plain") in completed("generate", "--model", "")
    assert completed("generate", "--model", "./mo") == [("./mo", "file")]
    assert completed("generate", "--guidance", "de") == [("detour", "plain")]
    assert completed("generate", "--sampler", "dpmpp_3") == [("dpmpp_3m_sde", "plain")]
    assert completed("generate", "--preset", "pre") == [("pre", "file")]
    assert completed("audit", "s") == [("s", "file")]
    assert completed("audit", "compare", "m") == [("m", "file")]
    assert completed("models", "ti") == completed("index", "latents", "--model", "ti") == [("tiny", "plain")]
    assert completed("index", "build", "s") == [("s", "file")]
    assert completed("generate", "--device", "c") == [("cpu", "plain"), ("cuda", "plain")]
    assert ("import-settings", "plain") in completed("im")


def test_what_is_completed_by_nothing_is_no_file() -> None:
    plain = {
        word(parameter)
        for _, command in commands()
        for parameter in command.params
        if type(parameter.type) is click.types.StringParamType
    }
    assert plain == {"TEXT", "PROMPT", "IDS", "ADDRESS"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_documented_line_prints_the_shell_s_script(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    assert f"_UNHEARD_COMPLETE={shell}_source unheard" in page
    monkeypatch.setattr("click.shell_completion.BashComplete._check_version", lambda *_: None)
    result = CliRunner().invoke(
        main, prog_name="unheard", env={"_UNHEARD_COMPLETE": f"{shell}_source"}, standalone_mode=False
    )
    assert f"_UNHEARD_COMPLETE={shell}_complete" in result.stdout
    assert shell != "fish" or 'string split --max 1 ","' in result.stdout
