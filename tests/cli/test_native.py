"""`unheard generate` with a checkpoint of stable-audio-tools and LoRAs, and the same sound again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import native_reference
import pytest
from click.testing import Result
from command_line import refused

from unheard.cli.lora import read_loras
from unheard.common.files import sha256
from unheard.generation import provenance


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("native")
    native_reference.write_model(folder / "model", "open")
    for name in ("lora", "dora"):
        native_reference.write_lora(folder / f"{name}.safetensors", name)
    return folder


@pytest.fixture
def make(run: Callable[..., Result], native: Path) -> Callable[..., Result]:
    short = "--no-guidance", "--duration", 0.2, "--num-inference-steps", 2
    return lambda *arguments: run("generate", "A bell", "--model", native / "model", *short, *arguments)


def test_loras_are_named_in_the_provenance_and_merged_again(
    make: Callable[..., Result], run: Callable[..., Result], native: Path
) -> None:
    one, other = native / "lora.safetensors", native / "dora.safetensors"
    assert make("--output", "plain.wav").exit_code == 0
    assert make("--lora", f"{one}:0.25", "--lora", other).exit_code == 0
    record = provenance.read("audio.json")
    assert record["model"]["name"] == str(native / "model")
    assert record["model"]["lora"] == [
        {"path": str(one), "weight": 0.25, "sha256": sha256(one)},
        {"path": str(other), "weight": 1.0, "sha256": sha256(other)},
    ]
    assert "lora" not in provenance.read("plain.json")["model"]
    assert Path("plain.wav").read_bytes() != Path("audio.wav").read_bytes()
    result = run("generate", "--from", "audio.json", "--output", "again.wav")
    assert "the same bytes as recorded" in result.stderr
    assert provenance.read("again.json")["model"] == record["model"]


def test_a_lora_that_has_changed_is_said_so(
    make: Callable[..., Result], run: Callable[..., Result], native: Path, tmp_path: Path
) -> None:
    file = tmp_path / "mine.safetensors"
    file.write_bytes((native / "lora.safetensors").read_bytes())
    make("--lora", file)
    native_reference.write_lora(file, "dora")
    result = run("generate", "--from", "audio.json", "--output", "again.wav")
    assert "not the same bytes as recorded: a LoRA has other contents" in result.stderr


def test_a_checkpoint_and_a_text_encoder_by_their_paths(
    make: Callable[..., Result], run: Callable[..., Result], native: Path
) -> None:
    encoder = native / "model" / "t5-base"
    checkpoint = native / "model" / "model.safetensors"
    assert make("--model", checkpoint, "--text-encoder", encoder).exit_code == 0
    record = provenance.read("audio.json")
    assert (record["model"]["name"], record["model"]["text_encoder"]) == (str(checkpoint), str(encoder))
    assert "the same bytes" in run("generate", "--from", "audio.json", "--output", "again.wav").stderr


def test_what_is_read_is_not_written_over(make: Callable[..., Result], native: Path) -> None:
    Path("pads.wav").write_bytes((native / "lora.safetensors").read_bytes())
    refused(make("--lora", "pads.wav", "--output", "pads.wav"), "it is a LoRA that is read")


def test_a_lora_that_is_not_there_is_one_line(make: Callable[..., Result]) -> None:
    refused(make("--lora", "nowhere.safetensors:0.5"), "there is no LoRA nowhere.safetensors")


def test_a_weight_stands_behind_a_colon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a:2").touch()

    def read(*given: str) -> Any:
        return read_loras(None, None, given)  # type: ignore[arg-type]

    assert read() is None
    assert read("a", "b:0.5", "c:-1", "d:e", "C:\\pads") == (
        ("a", 1.0),
        ("b", 0.5),
        ("c", -1.0),
        ("d:e", 1.0),
        ("C:\\pads", 1.0),
    )
    assert read("a:2") == (("a:2", 1.0),)
