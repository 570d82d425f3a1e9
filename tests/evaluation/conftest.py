"""The small experiment: once as it is and once finished, for all tests, and a copy of both for each."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from loaded_once import loaded_once
from small_experiment import write_experiment

from unheard import Model
from unheard.cli import main
from unheard.evaluation import generator, plots


@dataclass(frozen=True)
class Finished:
    """A run from the command line: its folder of results, and what it said. Do not write to the folder."""

    out: Path
    exit_code: int
    output: str


@pytest.fixture(autouse=True)
def _loaded(tiny_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """The random model is read from disk once a session."""
    monkeypatch.setattr(generator, "load", loaded_once(tiny_model))


@pytest.fixture(scope="session")
def small_experiment(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Path:
    """The file of the small experiment. Do not write to it, nor beside it."""
    return write_experiment(tmp_path_factory.mktemp("experiment"), tiny_model_folder)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, small_experiment: Path) -> Finished:
    """The small experiment, run and drawn."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        result = CliRunner().invoke(main, ["evaluate", str(small_experiment), "--out", str(folder / "out")])
    return Finished(folder / "out", result.exit_code, result.output)


@pytest.fixture
def file(tmp_path: Path, small_experiment: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the small experiment, to be written to; the user's cache is another as well.

    It is not drawn: pictures take a third of a run. `finished` is, and so are tables in `test_summary.py`.
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(plots, "draw", lambda *_: None)
    shutil.copytree(small_experiment.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / small_experiment.name


@pytest.fixture
def out(file: Path, finished: Finished) -> Path:
    """A copy of the finished results, beside `file`."""
    return Path(shutil.copytree(finished.out, file.parent / "out"))


@pytest.fixture
def indexless(file: Path, tiny_model_folder: Path) -> Path:
    """The experiment on a model that brings neither index nor embedder, and an index built by the guide."""
    folder = file.parent
    shutil.copytree(tiny_model_folder, folder / "bare")
    (folder / "bare" / "index.json").unlink()
    shutil.move(folder / "bare" / "guide", folder / "embedder")
    settings = json.loads((folder / "bare" / "unheard.json").read_text())
    del settings["index"], settings["embedder"], settings["duration"]
    (folder / "bare" / "unheard.json").write_text(json.dumps(settings))
    for recording in (folder / "references").iterdir():
        recording.with_suffix(".txt").write_text(f"A bright bell {recording.stem}")
    built = CliRunner().invoke(
        main, ["index", "build", str(folder / "references"), "--embedder", str(folder / "embedder"),
               "--out", str(folder / "training-set"), "--workers", "0"],
    )  # fmt: skip
    assert built.exit_code == 0, built.output
    text = file.read_text().replace(f'model = "{tiny_model_folder}"\nreferences = "references"\n', "")
    text = text.replace("c3 = 0}", "c3 = 0, lambda_min = -1.0, lambda_max = -1.0}")
    head = 'model = "bare"\nindex = "training-set"\nembedder = "embedder"\nduration = 1.0\n'
    file.write_text(head + text)
    return file
