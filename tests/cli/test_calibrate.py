"""`unheard calibrate`, and what `unheard generate` says of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from command_line import refused
from tiny_world import CAPTIONS

from unheard.generation import provenance
from unheard.generation.calibration.record import Calibration


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def calibrate(run: Callable[..., Result], tiny_model_folder: Path, tmp_path: Path) -> Callable[..., Result]:
    """Run `unheard calibrate` on the random model, with prompts that make up for its few captions."""
    (tmp_path / "usual.txt").write_text("\n".join(f"A bell {number}" for number in range(14)))
    (tmp_path / "suspected.txt").write_text("\n".join(CAPTIONS[:2]))
    usual = ("calibrate", "--model", tiny_model_folder, "--prompts", "usual.txt", "--batch", 8)
    return lambda *arguments: run(*usual, *arguments)


@pytest.mark.filterwarnings("ignore")
def test_generate_takes_what_calibrate_found_and_says_so(
    calibrate: Callable[..., Result], generate: Callable[..., Result]
) -> None:
    found = calibrate("--captions", "suspected.txt", "--duration", 0.2, "--false-alarms", 0.1)
    assert found.exit_code == 0, found.stderr
    assert "0.2 s: 24 ordinary captions, 2 suspected" in found.stdout
    assert "24 captions cannot show fewer false alarms than 11.7% at 95 %" in found.stdout
    assert "for 0.1 of ordinary captions: 2 of 24 exceed it" in found.stdout
    assert "suspected: " in found.stdout
    path = Path(found.stdout.splitlines()[-1].partition(": calibration ")[0])
    calibration = Calibration.read(path)

    asked = generate("A bell", "--guidance", "detour", "--prompt-weight", 0.3, "--output", "asked.wav")
    assert asked.exit_code == 0, asked.stderr
    said = [line for line in asked.stderr.splitlines() if "detour calibrated at 0.2 s" in line]
    assert len(said) == 1
    record = provenance.read("asked.json")
    assert record["calibration"]["sha256"] == calibration.digest
    assert calibration.digest[:8] in said[0]
    assert record["guidance"]["pull"] == calibration.durations[0].statistics["pull"].threshold.guards
    first = record.get("instead_of", [record])[0]  # the sound of a random model may be made again
    assert first["guidance"]["prompt_weight"] == 0.3
    said = generate("A bell", "--guidance", "detour", "--pull", 0.9, "--output", "by-hand.wav").stderr
    assert "calibrated" not in said
    assert "calibration" not in provenance.read("by-hand.json")
    assert record["guidance"]["settled_pull"] > 0
    by_hand = provenance.read("by-hand.json")["guidance"]
    assert (by_hand["pull"], by_hand.get("settled_pull", 0.0)) == (0.9, 0.0)
    quiet = generate("A bell", "--guidance", "detour", "--quiet", "--output", "quiet.wav")
    assert "calibrated" not in quiet.stderr


def test_a_file_elsewhere_and_none_that_is_there(calibrate: Callable[..., Result], tmp_path: Path) -> None:
    found = calibrate("--output", "calibration.json", "--count", 6)
    assert found.exit_code == 0, found.stderr
    assert Calibration.read(tmp_path / "calibration.json").ordinary[6] == "A bell 0"
    assert not (tmp_path / "data").exists()
    refused(calibrate("--output", "calibration.json"), "it is there already")
    (tmp_path / "mine.json").write_text(json.dumps({"mine": 1}))
    refused(calibrate("--output", "mine.json"), "it is there already")
    refused(calibrate("--output", "usual.txt"), "is read")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--false-alarms", 0), "false_alarms is 0.0"),
        (("--count", 5), "count is 5: 20 ordinary captions at least"),
        (("--captions", "nowhere.txt"), "nowhere.txt"),
        (("--duration", 99), "duration is 99 s"),
        (("--index", "nowhere"), "nowhere"),
    ],
)
def test_mistakes_are_one_line(
    calibrate: Callable[..., Result], options: tuple[object, ...], message: str
) -> None:
    refused(calibrate(*options), message)


@pytest.mark.filterwarnings("ignore")
def test_what_is_read_is_never_written_over(calibrate: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "heard").mkdir()
    for name in ("heard/a.wav", "l.safetensors"):
        (tmp_path / name).write_bytes(b"mine")
    for option, name, what in (
        ("--references", "heard/a.wav", "a recording"),
        ("--lora", "l.safetensors", "a LoRA"),
    ):
        given = name.partition("/")[0]
        refused(calibrate(option, given, "--output", name, "--overwrite"), f"it is {what} that is read")
        assert (tmp_path / name).read_bytes() == b"mine"


def test_uncalibrated_it_is_said_how(generate: Callable[..., Result]) -> None:
    made = generate("A bell", "--guidance", "detour")
    assert made.exit_code == 0
    assert len([line for line in made.stderr.splitlines() if "unheard calibrate --model" in line]) == 1
    assert "unheard calibrate" not in generate("A bell").stderr
    assert "unheard calibrate" not in generate("A bell", "--pull", 0.4).stderr


def test_a_folder_that_nothing_can_be_written_to_is_told_before_the_work(
    calibrate: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "taken"))
    result = calibrate("--duration", 0.2)
    refused(result, "cannot keep a calibration in")
