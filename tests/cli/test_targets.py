"""What a command reads is never written over, nor what is there, whoever wrote it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import Result
from command_line import refused

from unheard.errors import InputError
from unheard.generation import provenance
from unheard.generation.model import Model


def entry(number: int) -> dict[str, Any]:
    vector = np.random.default_rng(number).normal(size=16).tolist()
    return {
        "embedding": vector,
        "conditioning": {"prompt": "a bell", "seconds_start": 0, "seconds_total": 1},
        "embedder": "guide",
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An index, a preset, prompts, an experiment, two folders of sounds, and links to some of it."""
    for name, seed in {"refs/a.wav": 1, "refs/b.wav": 2, "real/c.wav": 3, "in.wav": 4}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, np.random.default_rng(seed).uniform(-0.5, 0.5, 16_000), 16_000)
    (tmp_path / "refs" / "linked").symlink_to("../real")
    (tmp_path / "mine.json").write_text(json.dumps({"a": entry(1), "b": entry(2)}))
    (tmp_path / "link.json").symlink_to("mine.json")
    (tmp_path / "preset.json").write_text('{"guidance_scale": 2}')
    (tmp_path / "prompts.json").write_text("A bell\n")
    (tmp_path / "captions.rejects.jsonl").write_text('{"path": "in.wav", "prompt": "x"}\n')
    experiment = (
        '[[prompts]]\nlist = ["A bell"]\n[settings.none]\nguidance = "none"\n[search.x]\nguidance_scale = 2\n'
    )
    (tmp_path / "out" / "parts").mkdir(parents=True)
    for name in ("summary.md", "trials.csv"):
        (tmp_path / "out" / name).write_text(experiment)
    return tmp_path


INPUTS = {
    ("generate", "A bell", "--index", "mine.json", "--output", "mine.wav"): "mine.json: it is the index",
    (
        "generate",
        "A bell",
        "--index",
        "mine.json",
        "--output",
        "link.wav",
    ): "link.json: it is the index",
    ("generate", "A bell", "--preset", "preset.json", "--output", "preset.wav"): "it is the preset",
    ("generate", "--prompts-file", "prompts.json", "--output", "prompts.wav"): "it is the list of prompts",
    ("generate", "A bell", "--references", "refs", "--output", "refs/a.wav"): "a.wav: it is a recording",
    ("generate", "A bell", "--references", "refs", "--output", "real/c.wav"): "c.wav: it is a recording",
    ("audit", "in.wav", "--references", "refs", "--csv", "in.wav"): "in.wav: it is a sound",
    ("audit", ".", "--references", "refs", "--csv", "in.wav"): "in.wav: it is a sound",
    ("audit", "in.wav", "--references", "refs", "--csv", "refs/b.wav"): "b.wav: it is a recording",
    ("audit", "in.wav", "--references", "refs", "--csv", "refs/linked/c.wav"): "c.wav: it is a recording",
    ("audit", "in.wav", "--index", "mine.json", "--csv", "mine.json"): "mine.json: it is the index",
    ("audit", "--prompts", "prompts.json", "--csv", "prompts.json"): "it is the list of prompts",
    (
        "audit",
        "in.wav",
        "--references",
        "refs",
        "--csv",
        "n.html",
        "--report",
        "n.html",
    ): "written there, too",
    ("index", "duplicates", "mine.json", "--out", "link.json"): "link.json: it is the index",
    ("index", "duplicates", "{folder}/mine.json", "--out", "mine.json"): "mine.json: it is the index",
    ("index", "export", "mine.json", "--out", "mine.json"): "mine.json: it is the index",
    ("index", "build", "captions.rejects.jsonl", "--out", "s3://none/captions"): "it is a source",
    ("index", "build", "refs", "--captions", "captions.rejects.jsonl", "--out", "s3://none/captions"): (
        "it is a source"
    ),
    ("evaluate", "out/summary.md", "--out", "out"): "summary.md: it is the experiment",
    ("tune", "out/trials.csv", "--out", "out"): "trials.csv: it is the experiment",
}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("command", INPUTS, ids=" ".join)
@pytest.mark.parametrize("further", [(), ("--overwrite",)], ids=["", "overwrite"])
@pytest.mark.usefixtures("no_model")
def test_an_input_is_never_written_over(
    run: Callable[..., Result], folder: Path, command: tuple[str, ...], further: tuple[str, ...]
) -> None:
    if command[1] == "build":
        further = ()  # it has no such option
    before = contents(folder)
    refused(run(*(word.format(folder=folder) for word in command), *further), INPUTS[command])
    assert contents(folder) == before


OTHERS = {
    ("generate", "A bell", "--output", "in.wav"): "in.wav",
    ("generate", "A bell", "--output", "preset.wav"): "preset.json",
    ("audit", "in.wav", "--references", "refs", "--csv", "preset.json"): "preset.json",
    ("audit", "in.wav", "--references", "refs", "--report", "page.html"): "page.html",
    ("audit", "in.wav", "--references", "refs", "--report", "."): "index.html",
    ("index", "duplicates", "mine.json", "--out", "preset.json"): "preset.json",
}


@pytest.mark.parametrize("command", OTHERS, ids=" ".join)
@pytest.mark.usefixtures("no_model")
def test_what_is_there_is_not_replaced(
    run: Callable[..., Result], folder: Path, command: tuple[str, ...]
) -> None:
    for name in ("page.html", "index.html"):
        (folder / name).write_text("<p>mine</p>")
    before = contents(folder)
    refused(run(*command), f"{OTHERS[command]}: it is there already.*--overwrite")
    assert contents(folder) == before


def test_a_sound_is_replaced_with_overwrite(generate: Callable[..., Result], folder: Path) -> None:
    for seed in (1, 2):
        assert generate("A bell", "--seed", seed, "--output", "s.wav", "--overwrite").exit_code == 0
    assert provenance.read("s.json")["seed"] == 2
    assert generate("A bell", "--output", "preset.wav", "--overwrite").exit_code == 0
    assert provenance.read("preset.json")["prompt"] == "A bell"
    refused(generate("--from", "s.json", "--output", "s.wav"), "it is the record that is read")


def test_what_unheard_itself_wrote_is_replaced_with_overwrite_alone(
    run: Callable[..., Result], folder: Path
) -> None:
    audit = ("audit", "in.wav", "--references", "refs")
    for written in (("--csv", "n.csv", "--report", "page.html"), ("--report", "page")):
        assert run(*audit, *written).exit_code == 0
        refused(run(*audit, *written), "it is there already; choose another name, or replace it")
        assert run(*audit, *written, "--overwrite").exit_code == 0
    duplicates = ("index", "duplicates", "mine.json", "--out", "clusters.json")
    assert run(*duplicates).exit_code == 0
    refused(run(*duplicates), "clusters.json: it is there already")
    printed = json.loads(run("index", "duplicates", "mine.json", "--json").stdout)
    assert printed == json.loads(Path("clusters.json").read_text())
    Path("empty.csv").touch()
    assert run("index", "duplicates", "mine.json", "--out", "empty.csv").exit_code == 0


def test_in_python_a_sound_spares_what_lies_beside_it(loaded: Model, tmp_path: Path) -> None:
    (sound,) = loaded.generate("A bell", num_inference_steps=1, duration=0.2, guidance=None)
    (tmp_path / "mine.json").write_text('{"a": 1}')
    with pytest.raises(InputError, match=r"mine\.json is there and holds something else"):
        sound.save(tmp_path / "mine.wav")
    assert sorted(os.listdir(tmp_path)) == ["mine.json"]
    sound.save(tmp_path / "mine.wav", overwrite=True)
    sound.save(tmp_path / "mine.wav")
    assert provenance.is_record(tmp_path / "mine.json")
