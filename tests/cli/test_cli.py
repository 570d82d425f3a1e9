"""The command line as a user meets it: what it writes, what it says, how it leaves."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner, Result
from ctrl_c import heeding
from tiny_world import build_index

import unheard
import unheard.generation.model
from unheard import doctor
from unheard.cli import main
from unheard.generation import provenance
from unheard.generation.model import Model

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.fixture(scope="module")
def loaded(tiny_model_folder: Path) -> Model:
    return unheard.load(tiny_model_folder)


@pytest.fixture
def run(loaded: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the program in an empty folder. The random model is read from disk once for all tests."""
    load = unheard.generation.model.load

    def load_once(model: str | Path, **options: Any) -> Model:
        if Path(model) == Path(loaded.name) and set(options.values()) <= {None, "auto", "cpu", "float32"}:
            return loaded
        return load(model, **options)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(unheard.generation.model, "load", load_once)
    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def generate(run: Callable[..., Result], tiny_model_folder: Path) -> Callable[..., Result]:
    """Run `unheard generate` on the random model with a short sound."""
    return lambda *arguments: run(
        "generate", "--model", tiny_model_folder, "--duration", 0.2, "--num-inference-steps", 2, *arguments
    )


def refused(result: Result, message: str) -> None:
    """One line on stderr, exit code 2, nothing else."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("unheard: ")
    assert re.search(message, result.stderr), result.stderr


def no_model(*_: Any, **__: Any) -> Model:
    raise AssertionError("the model was loaded before the mistake was found out")


def commands(command: click.Command = main, name: str = "unheard") -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for child in command.commands.values():
            yield from commands(child, f"{name} {child.name}")


# What a user does with it


def test_the_sound_and_its_provenance_are_written(generate: Callable[..., Result]) -> None:
    result = generate("An acoustic drum loop, 110 bpm")
    assert result.exit_code == 0, result.stderr
    samples, rate = soundfile.read("audio.wav")
    assert (len(samples), rate, np.abs(samples).max()) == (3_200, 16_000, pytest.approx(1, abs=1e-4))
    record = provenance.read("audio.json")
    assert record["prompt"] == "An acoustic drum loop, 110 bpm"
    first, second = result.stdout.splitlines()
    acted, nearest = record["result"]["acted"], record["result"]["nearest"][0]
    assert first == f"audio.wav  0.20 s, seed 0, guidance acted in {acted} of 2 steps"
    assert (
        second == f'  nearest: {nearest["id"]} "{nearest["caption"]}", similarity {nearest["similarity"]:.3f}'
    )


def test_progress_names_similarity_threshold_and_whether_the_guidance_acts(
    generate: Callable[..., Result],
) -> None:
    result = generate("A bell")
    lines = result.stderr.splitlines()
    pattern = r"sound 1 of 1  step \d/2  similarity -?\d\.\d{3}, threshold \d\.\d{3}, (guiding|quiet)"
    assert len(lines) == 2
    assert all(re.fullmatch(pattern, line) for line in lines)


def test_several_sounds_are_numbered_in_order(generate: Callable[..., Result]) -> None:
    result = generate("A bell", "A pad", "--count", 2, "--seed", 5, "--output", "s.wav", "--batch", 3)
    assert result.exit_code == 0, result.stderr
    records = [provenance.read(f"s-{number}.json") for number in (1, 2, 3, 4)]
    assert [(record["prompt"], record["seed"]) for record in records] == [
        ("A bell", 5),
        ("A bell", 6),
        ("A pad", 5),
        ("A pad", 6),
    ]
    assert not Path("s.wav").exists()
    assert len(result.stdout.splitlines()) == 8


def test_prompts_from_a_file(generate: Callable[..., Result]) -> None:
    Path("p.txt").write_text("\ufeffA bell\n\n  A pad  \n", encoding="utf-8")
    assert generate("A drum", "--prompts-file", "p.txt").exit_code == 0
    assert [provenance.read(f"audio-{number}.json")["prompt"] for number in (1, 2, 3)] == [
        "A drum",
        "A bell",
        "A pad",
    ]


def test_json_is_one_object_and_stderr_is_silent(generate: Callable[..., Result]) -> None:
    result = generate("A bell", "--count", 2, "--json")
    assert result.stderr == ""
    results = json.loads(result.stdout)["results"]
    assert [(each["file"], each["seed"], each["steps"]) for each in results] == [
        ("audio-1.wav", 0, 2),
        ("audio-2.wav", 1, 2),
    ]
    assert set(results[0]["nearest"][0]) == {"id", "caption", "similarity"}


def test_every_option_reaches_the_sound(generate: Callable[..., Result], tmp_path: Path) -> None:
    index = build_index(tmp_path / "index.json", seed=9)
    options = {
        "seed": 3,
        "start": 0.5,
        "duration": 0.3,
        "negative-prompt": "noise",
        "num-inference-steps": 3,
        "guidance-scale": 2.5,
        "sampler": "dpmpp_2m",
        "sigma-min": 0.2,
        "sigma-max": 50,
        "c1": 0.5,
        "c2": 0.25,
        "c3": 2,
        "lambda-min": -0.5,
        "lambda-max": 0.5,
        "dissimilarity-space": "noise",
        "index": index,
        "device": "cpu",
        "dtype": "float32",
    }
    result = generate(
        "A bell", "--float", *[part for name, value in options.items() for part in (f"--{name}", value)]
    )
    assert result.exit_code == 0, result.stderr
    record = provenance.read("audio.json")
    assert (record["seed"], record["start"], record["duration"], record["negative_prompt"]) == (
        3,
        0.5,
        0.3,
        "noise",
    )
    assert record["sampling"] == {
        "sampler": "dpmpp_2m",
        "num_inference_steps": 3,
        "sigma_min": 0.2,
        "sigma_max": 50,
        "guidance_scale": 2.5,
    }
    assert record["guidance"] == {
        "kind": "amg",
        "c1": 0.5,
        "c2": 0.25,
        "c3": 2,
        "lambda_min": -0.5,
        "lambda_max": 0.5,
        "dissimilarity_space": "noise",
    }
    assert record["index"]["given"] == str(index)
    assert record["result"]["encoding"] == "float"


def test_no_guidance(generate: Callable[..., Result]) -> None:
    result = generate("A bell", "--no-guidance")
    assert "without anti-memorization guidance" in result.stdout
    assert "nearest: train_" in result.stdout
    assert provenance.read("audio.json")["guidance"] is None


def test_a_guidance_that_cannot_wholly_act_is_said(generate: Callable[..., Result]) -> None:
    result = generate("A bell", "--guidance-scale", 1)
    assert result.exit_code == 0
    assert "unheard: warning: a guidance scale of 1.0 leaves no room" in result.stderr


def test_a_silent_sound_is_said(
    generate: Callable[..., Result], loaded: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaded.backbone, "decode", lambda latents: torch.zeros(len(latents), 1, 16_384))
    result = generate("A bell", "--no-guidance")
    assert result.exit_code == 0
    assert "unheard: warning: audio.wav: the sound is silent" in result.stderr


# The same sound again


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
    assert len(result.stdout.splitlines()) == 2


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


# Bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no prompt: give one"),
        (("",), "prompt is empty"),
        (("   ",), "prompt is empty"),
        (("x" * 10_000,), "10,000 characters: give at most 2,000"),
        (("caf\udce9",), "prompt is not text"),
        (("A bell", "--prompts-file", "missing.txt"), "cannot read missing.txt: No such file"),
        (("--prompts-file", "bytes.txt"), "bytes.txt is not text in UTF-8"),
        (("--prompts-file", "blank.txt"), "blank.txt holds no prompt"),
        (("A bell", "--count", "0"), "count is 0"),
        (("A bell", "--output", "audio.mp3"), "ends in .wav"),
        (("A bell", "--output", "missing/audio.wav"), "missing: it does not exist; make it first"),
        (("A bell", "--output", "blank.txt/audio.wav"), "blank.txt: it is not a folder"),
        (("A bell", "--output", "folder.wav"), "folder.wav: it is a folder"),
        (("A bell", "--output", "json.wav"), "json.json: it is a folder"),
        (("A bell", "--sampler", "ddim"), "'ddim' is not one of"),
        (("A bell", "--dtype", "int8"), "'int8' is not one of"),
        (("A bell", "--seed", "x"), "'x' is not a valid integer"),
        (("A bell", "--c1", "x"), "'x' is not a valid float"),
        (
            (
                "A bell",
                "--nonsense",
            ),
            "No such option",
        ),
        (("A bell", "--no-guidance", "--c1", "1"), "--no-guidance leaves nothing for --c1"),
        (("A bell", "--index", "missing.json"), "cannot read the index missing.json"),
        (("A bell", "--index", "blank.txt"), "blank.txt is empty"),
    ],
)
def test_bad_input_is_found_out_before_the_model_is_loaded(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    Path("bytes.txt").write_bytes(b"\xff\xfe\x00bell")
    Path("blank.txt").write_text(" \n")
    Path("folder.wav").mkdir()
    Path("json.json").mkdir()
    monkeypatch.setattr(unheard.generation.model, "load", no_model)
    refused(run("generate", *arguments), message)


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs a folder that nobody can write to")
def test_a_folder_that_cannot_be_written_is_found_out_before_the_model_is_loaded(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unheard.generation.model, "load", no_model)
    refused(run("generate", "A bell", "--output", "/proc/audio.wav"), "cannot write to /proc")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--duration", -1), "duration is -1 s"),
        (("--duration", 0), "duration is 0 s"),
        (("--duration", 60), r"at most 1\.024 s"),
        (("--duration", "nan"), "duration is nan"),
        (("--start", -1), "start is -1 s"),
        (("--seed", -1), "seed is -1"),
        (("--batch", 0), "batch is 0"),
        (("--num-inference-steps", 0), "num_inference_steps is 0"),
        (("--guidance-scale", -1), "guidance_scale is -1"),
        (("--sigma-min", 1000), r"sigma_max \(100\.0\) is not above"),
        (("--lambda-min", 0.9, "--lambda-max", 0.8), r"lambda_min \(0\.9\) is above lambda_max"),
        (("--c1", -1), "c1 is -1"),
        (("--c2", -1), "c2 is -1"),
        (("--c3", "inf"), "c3 is inf"),
        (("--negative-prompt", ""), "negative prompt is empty"),
        (("--device", "tpu"), "unknown device 'tpu'"),
        (("--model", "gigantic"), "unknown model 'gigantic'"),
        (("--model", "./nowhere"), "no folder ./nowhere"),
        (("--model", "."), "no model_index.json"),
        (("--embedder", "."), "config.json"),
    ],
)
def test_bad_input_is_one_line(generate: Callable[..., Result], arguments: tuple, message: str) -> None:
    refused(generate("A bell", *arguments), message)
    assert not list(Path().glob("*.wav"))


def entry(**changes: Any) -> dict[str, Any]:
    conditioning = {"prompt": "A bell", "seconds_start": 0, "seconds_total": 1}
    return {"embedding": [1.0] * 16, "conditioning": conditioning, **changes}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not json", "is not JSON"),
        ("", "is empty"),
        ("{}", "no entries"),
        (json.dumps({"a": entry(), "b": entry(embedding=[1.0] * 15)}), '"b".*15 numbers'),
        (json.dumps({"a": entry(embedding=[1.0, float("nan")] * 8)}), '"a".*nan'),
        (json.dumps({"a": entry(conditioning={})}), '"a".*"prompt" is missing'),
        (json.dumps({"a": entry(embedding=[1.0] * 512)}), "512 numbers.*'guide' .16 numbers"),
        (json.dumps({"a": entry(embedder="other")}), "made by the embedder 'other'.*'guide'"),
    ],
)
def test_a_bad_index_is_one_line(generate: Callable[..., Result], content: str, message: str) -> None:
    Path("index.json").write_text(content)
    refused(generate("A bell", "--index", "index.json"), message)


def test_guidance_without_an_index_says_what_to_do(
    run: Callable[..., Result], tiny_model_folder: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for part in tiny_model_folder.iterdir():
        if part.name != "unheard.json":
            (bare / part.name).symlink_to(part)
    refused(run("generate", "A bell", "--model", bare, "--duration", 1), "--index PATH.*--no-guidance")


def test_out_of_memory_keeps_what_is_finished(
    generate: Callable[..., Result], loaded: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    denoise, calls = loaded.backbone.denoise, 0

    def limited(*arguments: Any) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls > 2:  # one batch of two steps
            raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 20 GiB.")
        return denoise(*arguments)

    monkeypatch.setattr(loaded.backbone, "denoise", limited)
    result = generate("A bell", "--count", 4, "--batch", 2, "--no-guidance", "--json")
    assert result.exit_code == 2
    assert re.fullmatch(r"unheard: out of memory: lower --batch \(now 2\).*--dtype.*\n", result.stderr)
    assert [each["file"] for each in json.loads(result.stdout)["results"]] == ["audio-1.wav", "audio-2.wav"]
    assert sorted(path.name for path in Path().glob("*.wav")) == ["audio-1.wav", "audio-2.wav"]


def start(arguments: list[str], folder: Path, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    paths = [str(Path(unheard.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    return subprocess.Popen(
        [sys.executable, "-m", "unheard", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "80", "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        **heeding(),
    )


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_terminal_gets_a_bar_also_with_json(tiny_model_folder: Path, tmp_path: Path) -> None:
    terminal, program_end = os.openpty()
    arguments = [
        "generate",
        "A bell",
        "--model",
        str(tiny_model_folder),
        "--count",
        "2",
        "--batch",
        "1",
        "--json",
    ]
    process = start(arguments, tmp_path, stderr=program_end)
    os.close(program_end)
    seen = b""
    with contextlib.suppress(OSError):  # how Linux says that the other end is closed
        while piece := os.read(terminal, 1 << 16):
            seen += piece
    os.close(terminal)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, seen.decode()
    assert len(json.loads(out)["results"]) == 2
    bar = seen.decode()
    assert "2 of 2" in bar
    assert "6/6" in bar
    assert re.search(r"similarity -?\d\.\d{3}, threshold \d\.\d{3}, (guiding|quiet)", bar)


def test_ctrl_c_keeps_what_is_finished(tiny_model_folder: Path, tmp_path: Path) -> None:
    arguments = ["generate", "A bell", "--model", str(tiny_model_folder), "--duration", "0.2"]
    process = start([*arguments, "--count", "5000", "--batch", "1", "--output", "a.wav"], tmp_path)
    try:
        deadline = time.monotonic() + 120
        # The third, so that the second has been told as well as written.
        while not (tmp_path / "a-3.json").exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert err.splitlines()[-1] == "unheard: interrupted; what was finished is saved"
    assert "Traceback" not in err
    finished = [line.split()[0] for line in out.splitlines() if not line.startswith(" ")]
    assert finished[:2] == ["a-1.wav", "a-2.wav"]
    for name in finished:
        assert soundfile.info(tmp_path / name).frames == 3_200
        assert provenance.read(tmp_path / name.replace(".wav", ".json"))["result"]["file"] == name
    assert not [path for path in tmp_path.iterdir() if path.suffix not in (".wav", ".json")]


def test_the_program_runs_as_a_process(tmp_path: Path) -> None:
    process = start(["generate", "x" * 10_000], tmp_path)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err == "unheard: prompt has 10,000 characters: give at most 2,000\n"


# The other commands


def test_add_to_an_index_and_generate_with_it(
    run: Callable[..., Result], generate: Callable[..., Result], tiny_model_folder: Path
) -> None:
    rng = np.random.default_rng(0)
    for name in ("a.wav", "b.flac"):
        soundfile.write(name, rng.uniform(-0.5, 0.5, 22_050), 22_050)
    Path("broken.wav").write_text("no sound")
    add = ("index", "add", "mine.json", "a.wav", "b.flac", "broken.wav", "--caption", "Noise", "--model")
    result = run(*add, tiny_model_folder)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "mine.json: added 2, holds 2\n"
    assert "unheard: warning: left out: cannot read broken.wav" in result.stderr
    result = run(
        "index", "add", "mine.json", "a.wav", "--caption", "Noise", "--model", tiny_model_folder, "--json"
    )
    assert json.loads(result.stdout) == {
        "index": "mine.json",
        "items": 3,
        "added": ["a-2.wav"],
        "unreadable": {},
    }
    assert "Noise" in generate("A bell", "--index", "mine.json").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("index", "add", "mine.json", "--caption", "x"), "Missing argument 'SOUNDS"),
        (("index", "add", "mine.json", "a.wav"), "Missing option '--caption'"),
        (("index", "add", "mine.json", "a.wav", "--caption", "x", "--device", "tpu"), "unknown device"),
        (("index", "erase"), "No such command 'erase'"),
        (("nonsense",), "No such command 'nonsense'"),
    ],
)
def test_other_commands_refuse_in_one_line(
    run: Callable[..., Result], arguments: tuple, message: str
) -> None:
    refused(run(*arguments), message)


def test_doctor_looks_at_everything(run: Callable[..., Result]) -> None:
    findings = json.loads(run("doctor", "--json").stdout)["findings"]
    subjects = [finding["subject"] for finding in findings]
    for subject in ("Python", "torch", "device", "libsndfile", "memory", "model tiny"):
        assert subject in subjects
    assert "model stabilityai/stable-audio-open-1.0" in subjects
    text = run("doctor").stdout
    assert all(subject in text for subject in subjects)


def test_doctor_names_the_command_that_mends(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(doctor.TESTED, "no-such-package", "1.0")
    monkeypatch.setitem(doctor.TESTED, "julius", "0.0.1")
    result = run("doctor")
    assert result.exit_code == 1
    assert (
        'lacks  no-such-package: not installed\n       mend: pip install "no-such-package==1.0"'
        in result.stdout
    )
    assert re.search(r"note   julius: .*, tested with 0\.0\.1\n       mend: pip install", result.stdout)


def test_every_lack_has_a_mend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("unheard.backbones.hub.find_local", lambda name: None)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("shutil.disk_usage", lambda place: type("Usage", (), {"free": 1e9}))
    lacks = [finding for finding in doctor.examine() if finding.state == "lacks"]
    assert {finding.subject for finding in lacks} >= {"model tiny", "hub login", "disk"}
    assert any(finding.subject.startswith("embedder") for finding in lacks)
    assert all(finding.mend for finding in lacks)


def test_doctor_knows_what_was_tested() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = dict(line.lower().replace("_", "-").split("==") for line in lines if "==" in line)
    assert {package: pinned[package] for package in doctor.TESTED} == doctor.TESTED


def test_models_lists_what_can_be_loaded(run: Callable[..., Result]) -> None:
    text = run("models").stdout
    assert "tiny" in text
    assert "https://huggingface.co/stabilityai/stable-audio-open-1.0" in text
    assert {row["name"] for row in json.loads(run("models", "--json").stdout)["models"]} >= {"tiny"}


# Help

COMMANDS = list(commands())
NAMES = [name for name, _ in COMMANDS]


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=NAMES)
def test_every_command_and_option_has_help(name: str, command: click.Command) -> None:
    assert command.help, f"{name} has no help"
    assert re.search(r"\bExamples?:\n\s+unheard ", command.help), f"{name} shows no example"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts[0]} has no help"


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=NAMES)
def test_examples_name_options_that_exist(name: str, command: click.Command) -> None:
    known = {option for _, each in COMMANDS for parameter in each.params for option in parameter.opts}
    assert set(re.findall(r"--[a-z][a-z-]*", command.help or "")) <= known


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_documented_commands_exist(path: Path) -> None:
    """Every `unheard ...` line in the documentation's code blocks names a command and options that exist."""
    blocks = "\n".join(
        re.findall(r"^```\w*\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    )
    for line in re.findall(r"^(?:.*&& )?(unheard [^#\n]*)", blocks.replace("\\\n", " "), re.MULTILINE):
        words = shlex.split(line)
        name = max((name for name in NAMES if words[: len(name.split())] == name.split()), key=len)
        known = {option for parameter in dict(COMMANDS)[name].params for option in parameter.opts}
        assert name != "unheard" or "COMMAND" in words, line
        assert {word for word in words if word.startswith("--")} <= known | {"--help"}, line


def test_every_command_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, command in COMMANDS:
        assert isinstance(command, click.Group) or name in readme


def test_help_and_version(run: Callable[..., Result]) -> None:
    assert run("--help").exit_code == run("generate", "-h").exit_code == 0
    assert run("--version").stdout == f"unheard, version {unheard.__version__}\n"
    assert run().exit_code == 2
