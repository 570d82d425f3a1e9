"""What `unheard generate` cannot do is one line, told before the work begins."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from command_line import refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no prompt: give one"),
        (("",), "prompt is empty"),
        (("   ",), "prompt is empty"),
        (("x" * 10_000,), "10,000 characters: give at most 2,000"),
        (("caf\udce9",), "prompt is not text"),
        (("A bell", "--prompts-file", "missing.txt"), "cannot read missing.txt: No such file"),
        (("--prompts-file", "bytes.txt"), "bytes.txt is not all UTF-16-LE: convert it"),
        (("--prompts-file", "blank.txt"), "blank.txt holds no prompt"),
        (("A bell", "--count", "0"), "count is 0"),
        (("A bell", "--output", "audio.mp3"), "ends in .wav"),
        (("A bell", "--output", "missing/audio.wav"), "missing: it does not exist; make it first"),
        (("A bell", "--output", "blank.txt/audio.wav"), "blank.txt: it is not a folder; give another name"),
        (("A bell", "--output", "folder.wav"), "folder.wav: it is a folder"),
        (("A bell", "--output", "json.wav"), "json.json: it is a folder"),
        (("A bell", "--sampler", "ddim"), "'ddim' is not one of"),
        (("A bell", "--dtype", "int8"), "'int8' is not one of"),
        (("A bell", "--seed", "x"), "'x' is not a valid integer"),
        (("A bell", "--c1", "x"), "'x' is not a valid float"),
        (("A bell", "--nonsense"), "No such option"),
        (("A bell", "--no-guidance", "--c1", "1"), "--no-guidance leaves nothing for --c1"),
        (("A bell", "--index", "missing.json"), "cannot read the index missing.json"),
        (("A bell", "--index", "blank.txt"), "blank.txt is empty"),
    ],
)
@pytest.mark.usefixtures("no_model")
def test_bad_input_is_found_out_before_the_model_is_loaded(
    run: Callable[..., Result], arguments: tuple[str, ...], message: str
) -> None:
    Path("bytes.txt").write_bytes(b"\xff\xfe\x00bell")
    Path("blank.txt").write_text(" \n")
    Path("folder.wav").mkdir()
    Path("json.json").mkdir()
    refused(run("generate", *arguments), message)


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs a folder that nobody can write to")
@pytest.mark.usefixtures("no_model")
def test_a_folder_that_cannot_be_written_is_found_out_before_the_model_is_loaded(
    run: Callable[..., Result],
) -> None:
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


@pytest.mark.filterwarnings("ignore::unheard.GuidanceWarning")
def test_a_sound_without_a_way_out_is_refused_where_the_user_wants_it(
    generate: Callable[..., Result],
) -> None:
    """A pull of 0 is above nothing but no caption at all."""
    asked = ("A bell", "--guidance", "detour", "--pull", 0)
    result = generate(*asked, "--if-no-way", "refuse")
    assert result.exit_code == 3
    assert 'all lead to a recording: "A bell". Try another prompt' in result.stderr
    assert not Path("audio.wav").exists()
    result = generate(*asked, "--if-no-way", "unguided")
    assert result.exit_code == 0
    assert "went on under the prompt, it may replay the recording" in result.stdout
