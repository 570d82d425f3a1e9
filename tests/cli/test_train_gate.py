"""`unheard train-gate`, and `unheard generate --gate-head` with what it made."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result
from command_line import refused

from unheard import audio
from unheard.generation import provenance
from unheard.generation.gate_heads import training
from unheard.guidance.amg.gate_head import read

SHUT = ("--lambda-min", 1.9, "--lambda-max", 1.9)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(training, "EPOCHS", 1)


@pytest.fixture
def train(run: Callable[..., Result], tiny_model_folder: Path) -> Callable[..., Result]:
    usual = ("train-gate", "--model", tiny_model_folder, "--duration", 0.2, "--sounds", 5)
    return lambda *arguments: run(*usual, *arguments)


def test_generate_takes_the_head_that_was_made_and_says_which(
    train: Callable[..., Result], generate: Callable[..., Result]
) -> None:
    amg = ("A bell", "--guidance", "amg", *SHUT)
    refused = generate(*amg, "--gate-head", "--output", "none.wav")
    assert refused.exit_code == 2
    assert "no gate head is made for this model, its embedder and 0.2 s" in refused.stderr

    made = train()
    assert made.exit_code == 0, made.stderr
    assert "beyond the margin: " in made.stdout
    path = Path(made.stdout.splitlines()[-1].partition(": gate head")[0])
    _, fit = read(path, torch.device("cpu"))
    assert (fit.duration, fit.features) == (0.2, 8)
    assert fit.trained > fit.calibrated > 0
    assert fit.tested > 0

    for options, name in (((), "exact.wav"), (("--gate-head",), "seen.wav")):
        done = generate(*amg, *options, "--output", name)
        assert done.exit_code == 0, done.stderr
    assert torch.equal(audio.read("exact.wav")[0], audio.read("seen.wav")[0])
    exact, seen = provenance.read("exact.json"), provenance.read("seen.json")
    assert "gate_head" not in exact["guidance"]
    assert seen["guidance"]["gate_head"] is True
    assert seen["gate_head"]["margin"] == fit.margin
    assert all("value" in step for step in exact["trace"])

    again = train("--seed", 1)
    assert again.exit_code == 0, again.stderr
    other = generate("--from", "seen.json", "--output", "again.wav")
    assert other.exit_code == 0, other.stderr
    assert "the gate head has other contents" in provenance.differences(seen, provenance.read("again.json"))


def test_a_model_brings_its_head(
    train: Callable[..., Result], tiny_model_folder: Path, tmp_path: Path
) -> None:
    import shutil

    from unheard.generation.model import Model, load

    folder = tmp_path / "model"
    shutil.copytree(tiny_model_folder, folder)
    assert train("--output", folder / "head.safetensors").exit_code == 0
    settings = json.loads((folder / "unheard.json").read_text()) | {"gate_head": "head.safetensors"}
    (folder / "unheard.json").write_text(json.dumps(settings))
    model: Model = load(folder)
    assert model.gate_head(0.2).path == folder / "head.safetensors"


def test_what_is_there_stays(train: Callable[..., Result], tmp_path: Path) -> None:
    Path("notes.txt").write_text("mine")
    refused(train("--output", "notes.txt"), "it is there already")
    assert Path("notes.txt").read_text() == "mine"
    assert train("--output", "notes.txt", "--overwrite").exit_code == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--sounds", 4), "sounds is 4"),
        (("--duration", 0), "duration"),
        (("--duration", 9), "makes at most 1.024 s: lower it"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    train: Callable[..., Result], given: tuple[object, ...], message: str
) -> None:
    result = train(*given)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_folder_that_nothing_can_be_written_to_is_told_before_the_work(
    train: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "taken"))
    refused(train(), "cannot keep a gate head in")


def test_it_never_writes_over_a_lora_that_it_reads(train: Callable[..., Result], tmp_path: Path) -> None:
    Path("timbre.safetensors").write_bytes(b"mine")
    refused(train("--lora", "timbre.safetensors", "--output", "timbre.safetensors", "--overwrite"), "a LoRA")
    assert Path("timbre.safetensors").read_bytes() == b"mine"
