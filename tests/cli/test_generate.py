"""`unheard generate`: what it writes and says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from click.testing import Result
from tiny_world import build_index

from unheard.generation import provenance
from unheard.generation.model import Model


def test_the_sound_and_its_provenance_are_written(generate: Callable[..., Result]) -> None:
    result = generate("An acoustic drum loop, 110 bpm")
    assert result.exit_code == 0, result.stderr
    samples, rate = soundfile.read("audio.wav")
    assert (len(samples), rate, np.abs(samples).max()) == (3_200, 16_000, pytest.approx(1, abs=1e-4))
    record = provenance.read("audio.json")
    assert record["prompt"] == "An acoustic drum loop, 110 bpm"
    first, second, third = result.stdout.splitlines()
    acted, nearest = record["result"]["acted"], record["result"]["nearest"][0]
    assert first == "audio.wav  0.20 s, seed 0"
    assert second == ("  kept the prompt" if not acted else f"  steered away in {acted} of 2 steps")
    named = f'{nearest["id"]} "{nearest["caption"]}"'
    assert third == f"  nearest: {named}, cosine {nearest['similarity']:.3f}"


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
    assert len(result.stdout.splitlines()) == 12


def test_prompts_from_a_file(generate: Callable[..., Result]) -> None:
    Path("p.txt").write_text("\ufeffA bell\n\n  A pad  \n", encoding="utf-8")
    assert generate("A drum", "--prompts-file", "p.txt").exit_code == 0
    assert [provenance.read(f"audio-{number}.json")["prompt"] for number in (1, 2, 3)] == [
        "A drum",
        "A bell",
        "A pad",
    ]


def test_json_is_one_object_and_stderr_is_silent(generate: Callable[..., Result]) -> None:
    result = generate("a bell", "--count", 2, "--json")
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


def test_a_drawn_seed_is_said_and_can_be_given(generate: Callable[..., Result]) -> None:
    assert generate("A bell", "--seed", "random").exit_code == 0
    record = provenance.read("audio.json")
    result = generate("A bell", "--seed", record["seed"], "--output", "again.wav")
    assert f"seed {record['seed']}" in result.stdout
    assert Path("again.wav").read_bytes() == Path("audio.wav").read_bytes()
    assert "seed is -1: give random to draw one" in generate("A bell", "--seed", "-1").stderr


def test_no_guidance(generate: Callable[..., Result]) -> None:
    result = generate("A bell", "--no-guidance")
    assert "made without guidance" in result.stdout
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
    result = generate("a bell", "--count", 4, "--batch", 2, "--no-guidance", "--json")
    assert result.exit_code == 2
    assert re.fullmatch(r"unheard: out of memory: lower --batch \(now 2\).*--dtype.*\n", result.stderr)
    assert [each["file"] for each in json.loads(result.stdout)["results"]] == ["audio-1.wav", "audio-2.wav"]
    assert sorted(path.name for path in Path().glob("*.wav")) == ["audio-1.wav", "audio-2.wav"]
