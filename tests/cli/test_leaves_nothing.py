"""A command that finds out that it has nothing to do, or cannot, leaves no folder and no file behind."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import Result


def entry(*embedding: float) -> dict[str, object]:
    conditioning = {"prompt": "Bell", "seconds_start": 0, "seconds_total": 1}
    return {"embedding": embedding, "conditioning": conditioning, "embedder": "guide"}


@pytest.fixture
def folder(tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files for each case below, in the folder where the program runs, with the user's data in it, too."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("UNHEARD_MODEL", str(tiny_model_folder))
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 16_000), 16_000)
    (tmp_path / "empty").mkdir()
    (tmp_path / "captions.csv").write_text("path,prompt\nb.wav,Bell\n")
    (tmp_path / "prompts.txt").write_text("Bell\n")
    (tmp_path / "none.json").write_text("{}")
    (tmp_path / "zero.json").write_text(json.dumps({"a": entry(1.0, 0.0), "b": entry(1e-300, 0.0)}))
    one = json.dumps(entry(1.0, 0.0))
    (tmp_path / "twice.json").write_text(f'{{"a": {one}, "a": {one}}}')
    model = f'model = "{tiny_model_folder}"\n[[prompts]]\nlist = ["Bell"]\n'
    (tmp_path / "search.toml").write_text(f"{model}[search.x]\nguidance_scale = 2\n")
    (tmp_path / "compare.toml").write_text(f'held_out = "empty"\n{model}[settings.none]\nguidance = "none"\n')
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("index build empty --out new", "there is no sound in the sources: nothing was built into new"),
        ("index build empty --captions captions.csv --out a/new", "there is no sound in the sources"),
        ("index add new empty --caption Bell", "there is no sound in the sources"),
        ("index add new.json none.json --caption Bell", "no sound could be read"),
        ("index import none.json --out new", "holds no entries"),
        ("index import zero.json --out new", "embedding is all zeros in float32"),
        ("index import twice.json --out new", 'the id "a" occurs twice'),
        ("audit empty --references a.wav --report new", "there is no sound in the folder empty"),
        ("audit a.wav --references empty --report new/r", "there is no sound in the folder empty"),
        ("audit --prompts prompts.txt --references a.wav --output new --duration 9", "makes at most 1.024 s"),
        ("audit --prompts prompts.txt --references a.wav --report new --duration 9", "makes at most 1.024 s"),
        ("audit --prompts prompts.txt --references a.wav --report new --seeds 0", "seeds is 0"),
        ("calibrate --model nowhere", "unknown model 'nowhere'"),
        ("calibrate --count -1", "count is -1"),
        ("train-gate --duration 9", "makes at most 1.024 s"),
        ("tune search.toml --out new/results", "tuning weighs adherence|tuning counts copies"),
        ("evaluate compare.toml --out new/results", "there is no sound in the folder|holds no sound"),
    ],
)
def test_what_has_nothing_to_do_leaves_nothing(
    run: Callable[..., Result], folder: Path, arguments: str, message: str
) -> None:
    before = sorted(folder.rglob("*"))
    result = run(*arguments.split())
    assert result.exit_code == 2, result.output
    assert re.search(message, result.stderr.splitlines()[-1])
    assert sorted(folder.rglob("*")) == before
