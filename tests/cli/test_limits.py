"""`--longest` and `--most-samples` are in force while a command runs, and told where they leave out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import refused, run

from unheard.common.sound_limits import current_limits


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    folder = tmp_path / "sounds"
    folder.mkdir()
    for name, seconds in (("short.wav", 2), ("long.wav", 4)):
        samples = np.random.default_rng(seconds).uniform(-0.5, 0.5, seconds * 16_000)
        soundfile.write(folder / name, samples, 16_000)
    return folder


def test_a_build_leaves_out_what_lasts_longer(sounds: Path, tmp_path: Path) -> None:
    before = current_limits()
    index = tmp_path / "index"
    result = run("index", "build", sounds, "--out", index, "--workers", 0, "--longest", 3, "--json")
    built = json.loads(result.stdout)
    assert (built["added"], built["rejected"]) == (1, 1)
    (reject,) = (json.loads(line) for line in (index / "rejects.jsonl").read_text().splitlines())
    assert reject["source"] == str(sounds / "long.wav")
    assert "lasts 4 s, more than the 3 s" in reject["reason"]
    assert current_limits() == before
    again = run("index", "build", sounds, "--out", index, "--workers", 1, "--longest", 3, "--json")
    assert json.loads(again.stdout)["rejected"] == 1


def test_an_audit_does_not_judge_what_is_larger(sounds: Path) -> None:
    references = ("--references", sounds / "short.wav")
    result = run("audit", sounds, *references, "--most-samples", 40_000, "--json")
    judged = {Path(file["path"]).name: file["reason"] for file in json.loads(result.stdout)["files"]}
    assert judged["short.wav"] is None
    assert "64,000 samples in its channels, more than the 40,000" in judged["long.wav"]


def test_a_limit_that_is_none_is_refused(sounds: Path) -> None:
    refused(run("audit", sounds, "--longest", 0), "unheard: longest is 0.0: give a number above 0")
    refused(
        run("audit", sounds, "--most-samples", -1),
        "unheard: most_samples is -1: give a whole number of at least 1",
    )
