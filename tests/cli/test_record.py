"""`--from`: the same sound again, and what is not as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from command_line import refused

from unheard.generation import provenance


@pytest.mark.parametrize("how", [(), ("--float",), ("--no-guidance",), ("--negative-prompt", "noise")])
def test_from_makes_the_same_bytes(
    generate: Callable[..., Result], run: Callable[..., Result], how: tuple
) -> None:
    generate("A bell", "--seed", 3, *how)
    result = run("generate", "--from", "audio.json", "--output", "again.wav")
    assert result.exit_code == 0, result.stderr
    assert Path("again.wav").read_bytes() == Path("audio.wav").read_bytes()
    assert "the same bytes as recorded" in result.stderr
    first, again = provenance.read("audio.json"), provenance.read("again.json")
    assert first["trace"] == again["trace"]


def test_from_makes_one_sound_of_a_batch_the_same_bytes(
    generate: Callable[..., Result], run: Callable[..., Result]
) -> None:
    generate("A bell", "A pad", "--count", 3, "--batch", 4)
    result = run("generate", "--from", "audio-3.json", "--output", "again.wav")
    assert Path("again.wav").read_bytes() == Path("audio-3.wav").read_bytes()
    assert not Path("again-1.wav").exists()
    assert len(result.stdout.splitlines()) == 3


def test_options_override_what_is_recorded(
    generate: Callable[..., Result], run: Callable[..., Result]
) -> None:
    generate("A bell", "--seed", 3, "--c3", 2)
    assert run("generate", "--from", "audio.json", "--seed", 4, "--output", "other.wav").exit_code == 0
    record = provenance.read("other.json")
    assert (record["prompt"], record["seed"], record["guidance"]["c3"]) == ("A bell", 4, 2)
    assert record["sampling"]["num_inference_steps"] == 2
    assert run("generate", "--from", "audio.json", "--no-guidance", "--output", "plain.wav").exit_code == 0
    assert provenance.read("plain.json")["guidance"] is None
    assert run("generate", "--from", "plain.json", "--c1", 0.5, "--output", "guided.wav").exit_code == 0
    assert provenance.read("guided.json")["guidance"]["c1"] == 0.5


def test_from_says_what_is_not_as_it_was(generate: Callable[..., Result], run: Callable[..., Result]) -> None:
    generate("A bell")
    record = json.loads(Path("audio.json").read_text())
    record["machine"]["packages"]["torch"] = "1.0"
    record["model"]["fingerprint"] = "sha256:00"
    record["result"]["sha256"] = "00"
    Path("audio.json").write_text(json.dumps(record))
    result = run("generate", "--from", "audio.json", "--output", "again.wav")
    assert result.exit_code == 0
    message = "not the same bytes as recorded: the model has other contents; torch was 1.0, is "
    assert f"unheard: warning: {message}" in result.stderr


@pytest.mark.parametrize("content", [None, "{", "{}", '{"unheard": 1}'])
def test_from_refuses_what_is_no_record(run: Callable[..., Result], content: str | None) -> None:
    if content is not None:
        Path("a.json").write_text(content)
    refused(run("generate", "--from", "a.json"), r"a\.json")
